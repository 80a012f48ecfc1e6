"""The news that something of a patient's own has changed."""

from __future__ import annotations

from dataclasses import dataclass

from mhms_app.facts import Topic, shared


@shared("patient")
@dataclass(frozen=True, slots=True)
class PatientChanged:
    """Announced after a commit that changed an appointment of a patient, who sees to it, or what they wait for."""

    patient_id: int

    @property
    def topics(self) -> tuple[Topic, ...]:
        """Their own screens, and the administrators' lists."""
        return (of_patient(self.patient_id), ANY_PATIENT)


ANY_PATIENT: Topic = ("patient", 0)


def of_patient(patient_id: int) -> Topic:
    """A patient's appointments and the waiting list."""
    return ("patient", patient_id)
