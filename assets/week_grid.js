// The mouse and the arrow keys on a doctor's week. It tells what was meant; the server decides, and draws.
//
// A lane is a day: `.lane[data-day]`. A button in it is a slot: `.block[data-slot]`, `aria-disabled` unless open.
// Minutes are those of a day's clock on the wall. A finger scrolls, and chooses by tapping.
import { createElement, useEffect, useRef } from "react";

const STEP = 5; // minutes
const FAR = 4; // pixels: less is a click
const EDGE = 7; // pixels from a block's edge that resize it
const LAST = 24 * 60 - STEP;

export function WeekGrid({ children, first, count, answered, focused, onCreate, onChange, onOpen, onLocked, ...rest }) {
  const grid = useRef(null);
  const now = useRef();
  now.current = { from: first * 60, until: Math.min((first + count) * 60, LAST), onCreate, onChange, onOpen, onLocked };
  useEffect(() => listen(grid.current, now), []);
  useEffect(() => {
    clear(grid.current); // what was dropped is drawn by now, or was refused
    if (focused) grid.current.querySelector(`[data-slot="${focused}"]`)?.focus();
  }, [answered]);
  return createElement("div", { ref: grid, ...rest }, children);
}

function listen(grid, now) {
  const ended = new AbortController();
  const on = (target, type, react, capture = false) =>
    target.addEventListener(type, react, { signal: ended.signal, capture });
  let drag = null;
  let dropped = false;

  on(grid, "pointerdown", (event) => {
    dropped = false;
    const lane = event.target.closest(".lane");
    if (event.button !== 0 || event.pointerType !== "mouse" || !lane) return;
    const block = event.target.closest(".block");
    if (block && !block.dataset.slot) return;
    const { from, until } = now.current;
    const at = minuteAt(lane, event.clientY, from, until);
    const slot = block && Number(block.dataset.slot); // kept: the block may be drawn for another slot meanwhile
    const part = block ? partOf(block, event.clientY) : "new";
    drag = { x: event.clientX, y: event.clientY, at, lane, home: lane, block, slot, part };
    drag.start = drag.begin = block ? from + numberOf(block, "--from") : at;
    drag.end = drag.finish = block ? drag.start + numberOf(block, "--long") : at + STEP;
  });

  on(window, "pointermove", (event) => {
    if (!drag) return;
    if (!drag.ghost) {
      if (Math.hypot(event.clientX - drag.x, event.clientY - drag.y) < FAR) return;
      dropped = true;
      if (drag.block?.ariaDisabled) {
        now.current.onLocked(drag.slot);
        drag = null;
        return;
      }
      clear(grid);
      grid.setPointerCapture(event.pointerId);
      grid.dataset.dragging = drag.part;
      drag.block?.setAttribute("data-away", "");
      drag.ghost = Object.assign(document.createElement("div"), { className: "block ghost", ariaHidden: "true" });
    }
    follow(drag, event, grid, now.current);
  });

  on(window, "pointerup", () => {
    if (!drag) return;
    const { ghost, slot, home, lane, start, end, begin, finish } = drag;
    drag = null;
    delete grid.dataset.dragging;
    if (!ghost) return;
    if (!slot) now.current.onCreate(lane.dataset.day, start, end);
    else if (lane !== home || start !== begin || end !== finish) now.current.onChange(slot, lane.dataset.day, start, end);
    else clear(grid);
  });

  const cancel = () => {
    clear(grid);
    drag = null;
    delete grid.dataset.dragging;
  };
  on(window, "pointercancel", cancel);
  on(window, "keydown", (event) => event.key === "Escape" && cancel());
  // A drag is no click on what it began at; a click by the keyboard has no detail.
  on(grid, "click", (event) => dropped && event.detail && event.stopPropagation(), true);

  on(grid, "keydown", (event) => {
    const block = event.target.closest("button.block");
    if (!block) return;
    if (event.key === "Enter" && !block.ariaDisabled) {
      event.preventDefault();
      now.current.onOpen(Number(block.dataset.slot));
    } else if (event.key.startsWith("Arrow")) {
      event.preventDefault();
      neighbour(grid, block, event.key)?.focus();
    }
  });
  return () => ended.abort();
}

function follow(drag, event, grid, { from, until }) {
  const length = drag.finish - drag.begin;
  const over = lanes(grid).find((lane) => event.clientX < lane.getBoundingClientRect().right);
  if (drag.part === "move") drag.lane = over ?? drag.lane;
  const at = minuteAt(drag.lane, event.clientY, from, until);
  if (drag.part === "new") [drag.start, drag.end] = at < drag.at ? [at, drag.at] : [drag.at, Math.max(at, drag.at + STEP)];
  if (drag.part === "top") drag.start = Math.min(at, drag.end - STEP);
  if (drag.part === "bottom") drag.end = Math.max(at, drag.start + STEP);
  if (drag.part === "move") {
    drag.start = Math.max(from, Math.min(until - length, drag.begin + at - drag.at));
    drag.end = drag.start + length;
  }
  drag.ghost.style.setProperty("--from", drag.start - from);
  drag.ghost.style.setProperty("--long", drag.end - drag.start);
  drag.ghost.textContent = `${clock(drag.start)} – ${clock(drag.end)}`;
  if (drag.ghost.parentNode !== drag.lane) drag.lane.append(drag.ghost);
}

function clear(grid) {
  grid.querySelectorAll(".ghost").forEach((ghost) => ghost.remove());
  grid.querySelectorAll("[data-away]").forEach((block) => block.removeAttribute("data-away"));
}

function lanes(grid) {
  return [...grid.querySelectorAll(".lane")].filter((lane) => lane.offsetParent);
}

function minuteAt(lane, y, from, until) {
  const { top, height } = lane.getBoundingClientRect();
  const minutes = ((y - top) / height) * numberOf(lane, "--count") * 60;
  return Math.max(from, Math.min(until, from + Math.round(minutes / STEP) * STEP));
}

function numberOf(element, property) {
  return Number(getComputedStyle(element).getPropertyValue(property));
}

function partOf(block, y) {
  const { top, bottom, height } = block.getBoundingClientRect();
  const edge = Math.min(EDGE, height / 4);
  return y - top < edge ? "top" : bottom - y < edge ? "bottom" : "move";
}

function neighbour(grid, block, key) {
  const blocks = (lane) => [...(lane?.querySelectorAll("button.block") ?? [])];
  const own = block.closest(".lane");
  const step = key === "ArrowDown" || key === "ArrowRight" ? 1 : -1;
  if (key === "ArrowUp" || key === "ArrowDown") return blocks(own)[blocks(own).indexOf(block) + step];
  const days = lanes(grid);
  let next = days.indexOf(own) + step;
  while (days[next] && !blocks(days[next]).length) next += step;
  const distance = (other) => Math.abs(other.offsetTop - block.offsetTop);
  return blocks(days[next]).sort((one, other) => distance(one) - distance(other))[0];
}

function clock(minutes) {
  const two = (number) => String(number).padStart(2, "0");
  return `${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}
