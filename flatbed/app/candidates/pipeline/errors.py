"""Refusals of the pipeline; their codes are those of the rules."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from flatbed.app.candidates.rules.pipeline import RefusalCode
from flatbed.app.candidates.touchpoints.errors import CampaignNotRunningError
from flatbed.tenants.kit.problems import Problem


class StageNotNextError(Problem):
    """One step leads forward; a candidate that comes back resumes no higher than it stood."""

    status = 409
    code = "stage-not-next"
    title = "That stage is not the next one"
    advice = "Move one stage forward, or to an earlier stage with a reason."


class GateFailedError(Problem):
    """The stage's gate does not pass; ``criteria`` holds each of its criteria with the outcome."""

    status = 409
    code = "gate-failed"
    title = "The evidence for that stage is not complete"
    advice = "Read `criteria`: record what the failing ones ask for, and try again."


class ReasonRequiredError(Problem):
    """A backward move is kept with its reason."""

    status = 422
    code = "reason-required"
    title = "The reason is missing"
    advice = "Send `reason`: why the candidate goes back."


class QualificationRequiredError(Problem):
    """``qualified`` is entered by a submission that meters, unless its entry stands already."""

    status = 409
    code = "qualification-required"
    title = "This stage is entered by a qualification"
    advice = "POST to the candidate's qualifications instead."


class EntryHeldError(Problem):
    """The candidate's usage entry stands: it comes back to ``qualified`` by a transition."""

    status = 409
    code = "entry-held"
    title = "The candidate's entry stands already"
    advice = "Move the candidate to `qualified` by a transition; nothing is metered again."


class CandidateExitedError(Problem):
    """An exited candidate does nothing until it returns."""

    status = 409
    code = "candidate-exited"
    title = "The candidate has left the pipeline"
    advice = "When the partner comes back by himself, transition it to a stage."


class CandidateInNurtureError(Problem):
    """A nurtured candidate rests."""

    status = 409
    code = "candidate-in-nurture"
    title = "The candidate is in nurture"
    advice = "Wake it first: PATCH the candidate with `nurture` null."


class CandidateNotInNurtureError(Problem):
    """Only a nurtured candidate wakes."""

    status = 409
    code = "candidate-not-in-nurture"
    title = "The candidate is not in nurture"
    advice = "Read the candidate; `status` says what it does."


class CandidateNotExitedError(Problem):
    """Only an exited candidate returns."""

    status = 409
    code = "candidate-not-exited"
    title = "The candidate has not left"
    advice = "Read the candidate; `status` says what it does."


class PartnerDidNotReturnError(Problem):
    """A candidate comes back when the partner comes by himself."""

    status = 409
    code = "partner-did-not-return"
    title = "The partner has not come back by himself"
    advice = "Record the proactive touch that the partner made since the exit."


class TooEarlyError(Problem):
    """Giving up too early; ``criteria`` says what was tried and what is missing.

    ``nurture`` holds the way out that is open: rest until a date no later than ``latest``, once
    enough was tried, or at once where law or frequency caps forbid the next touch.
    """

    status = 409
    code = "too-early"
    title = "Too little was tried to give this candidate up"
    advice = "Try what the failing `criteria` name, or let a lead override with a reason."


class NurtureInsteadError(TooEarlyError):
    """No lawful touch is near: the candidate rests in nurture instead of being given up."""

    code = "nurture-instead"
    title = "No lawful touch is near: nurture the candidate"
    advice = "PATCH the candidate with `nurture`: a wake date until `nurture.latest` or a trigger."


class WakeRequiredError(Problem):
    """Nurture has an end: a date or a trigger."""

    status = 422
    code = "wake-required"
    title = "Nurture needs a wake date or a trigger"
    advice = "Send `nurture.until`, `nurture.trigger`, or both."


class WakeDateOutOfRangeError(Problem):
    """A candidate sleeps no longer than the rubric allows, and wakes in the future."""

    status = 422
    code = "wake-date-out-of-range"
    title = "The wake date is out of range"
    advice = "Choose a date in the future, within the days that the campaign's rubric allows."


PROBLEMS: Final[Mapping[RefusalCode, type[Problem]]] = MappingProxyType(
    {
        RefusalCode.STAGE_NOT_NEXT: StageNotNextError,
        RefusalCode.GATE_FAILED: GateFailedError,
        RefusalCode.REASON_REQUIRED: ReasonRequiredError,
        RefusalCode.CAMPAIGN_NOT_RUNNING: CampaignNotRunningError,
        RefusalCode.QUALIFICATION_REQUIRED: QualificationRequiredError,
        RefusalCode.ENTRY_HELD: EntryHeldError,
        RefusalCode.CANDIDATE_EXITED: CandidateExitedError,
        RefusalCode.CANDIDATE_IN_NURTURE: CandidateInNurtureError,
        RefusalCode.CANDIDATE_NOT_IN_NURTURE: CandidateNotInNurtureError,
        RefusalCode.CANDIDATE_NOT_EXITED: CandidateNotExitedError,
        RefusalCode.PARTNER_DID_NOT_RETURN: PartnerDidNotReturnError,
        RefusalCode.TOO_EARLY: TooEarlyError,
        RefusalCode.NURTURE_INSTEAD: NurtureInsteadError,
        RefusalCode.WAKE_REQUIRED: WakeRequiredError,
        RefusalCode.WAKE_DATE_OUT_OF_RANGE: WakeDateOutOfRangeError,
    }
)
"""Every refusal of the rules as what the API answers; the codes are the same."""
