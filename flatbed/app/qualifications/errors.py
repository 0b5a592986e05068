"""Refusals about qualifications, disputes and reviews."""

from flatbed.tenants.kit.problems import FieldError, InvalidError, Problem


class AlreadyQualifiedError(Problem):
    """The candidate's unit is metered and stands; coming back to `qualified` meters nothing."""

    status = 409
    code = "already-qualified"
    title = "The candidate is qualified already"
    advice = "Move it forward with a transition; only after a void is there something to submit."


class QualificationStateError(Problem):
    """The qualification's state does not allow it; ``state`` is the present one."""

    status = 409
    code = "qualification-state"
    title = "The qualification's state does not allow that"
    advice = "Read the qualification; `state` is its present state."


class AlreadyDisputedError(Problem):
    """A qualification is disputed once, fraud excepted, and never twice at a time."""

    status = 409
    code = "already-disputed"
    title = "The qualification was disputed already"
    advice = "Wait for the decision; only fraud, once, may be brought after another dispute."


class GuaranteeUsedError(Problem):
    """What was wrong with the unit was made good: a replacement stands for it."""

    status = 409
    code = "guarantee-used"
    title = "The unit was replaced under the guarantee"
    advice = "Look at the replacement: `replacement_id` of the guarantee case names it."


class DisputeStateError(Problem):
    """Nothing waits for this answer or decision; ``state`` is the last dispute's, or null."""

    status = 409
    code = "dispute-state"
    title = "The dispute's state does not allow that"
    advice = "A dispute is answered while it is open, and decided once it is answered."


class DeciderInvolvedError(Problem):
    """Whoever had a hand in the candidate does not decide about it.

    That is its hunter, who submitted it, recorded or audited a touch, confirmed evidence, marked a
    partner's request or gave an override there; of a report also who made it.
    """

    status = 403
    code = "decider-involved"
    title = "The decider is involved"
    advice = "Let a lead decide who had no hand in this candidate."


class DecisionOverdueError(Problem):
    """The leads' term has ended; compliance decides."""

    status = 409
    code = "decision-overdue"
    title = "The term of the leads has ended"
    advice = "Compliance decides this dispute now."


class DecisionNotDueError(Problem):
    """Until ``decide_by`` an uninvolved lead decides, compliance only afterwards."""

    status = 409
    code = "decision-not-due"
    title = "The term of the leads has not ended"
    advice = "An uninvolved lead decides until `decide_by`."


class AlreadyKnownUnprovenError(InvalidError):
    """It holds with two-way contact in the 180 days before, or an exclusion before launch."""

    code = "already-known-unproven"
    title = "That the company was already known is not proven"
    advice = (
        "Bring an already_known_proof with contacts in both directions in the 180 days before the"
        " candidate was identified, or rest on an exclusion made before the campaign's launch."
    )

    @classmethod
    def in_evidence(cls) -> "AlreadyKnownUnprovenError":
        """The evidence lacks the proof."""
        message = "No two-way contact in the time, and no exclusion before the launch."
        return cls(errors=[FieldError("/evidence", "already-known-unproven", message)])
