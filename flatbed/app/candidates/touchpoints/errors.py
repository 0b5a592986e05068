"""Refusals about touchpoints."""

from flatbed.tenants.kit.problems import Problem


class SideForbiddenError(Problem):
    """Nobody logs what another side did: agency pushes come from the agency, say."""

    status = 403
    code = "side-forbidden"
    title = "This principal does not log touches of that side"
    advice = "Staff and the agency's clients log partner and agency, the ISV's partner and isv."


class CampaignNotRunningError(Problem):
    """While a campaign does not run nothing goes out; what comes in is kept."""

    status = 409
    code = "campaign-not-running"
    title = "Nothing goes out while the campaign does not run"
    advice = "Log what the partner does at any time, and our own touches once the campaign runs."


class ExternalRefTakenError(Problem):
    """This client has sent another touch under the same reference."""

    status = 409
    code = "external-ref-taken"
    title = "The external_ref belongs to another touchpoint of this client"
    advice = "Use a new external_ref; a repeat must be the same in every member."


class ClassNotLowerError(Problem):
    """Anybody may lower a class; nobody but an auditor raises it."""

    status = 409
    code = "class-not-lower"
    title = "The verdict would not lower the touchpoint"
    advice = (
        "Name a class below `effective_class`, or what elicited the touch; else ask for an audit."
    )
