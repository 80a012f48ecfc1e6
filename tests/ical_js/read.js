// Reads a JSON list of iCalendar texts and writes what ical.js finds in each: zones as they are described in the text.
import { readFileSync } from "node:fs";
import ICAL from "ical.js";

const instant = (time) => new Date(time.toUnixTime() * 1000).toISOString();

const read = (text) => {
  const calendar = new ICAL.Component(ICAL.parse(text));
  return calendar.getAllSubcomponents("vevent").map((component) => {
    const event = new ICAL.Event(component);
    return {
      method: calendar.getFirstPropertyValue("method"),
      status: component.getFirstPropertyValue("status"),
      uid: event.uid,
      sequence: event.sequence,
      stamp: instant(component.getFirstPropertyValue("dtstamp")),
      starts_at: instant(event.startDate),
      ends_at: instant(event.endDate),
      summary: event.summary,
      location: event.location,
      description: event.description,
    };
  });
};

console.log(JSON.stringify(JSON.parse(readFileSync(0, "utf8")).map(read)));
