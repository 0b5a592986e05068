"""Refusals about people and where they belong."""

from flatbed.tenants.kit.problems import ConflictError, ForbiddenError


class MemberEmailTakenError(ConflictError):
    """A member of the ISV, active or not, has this e-mail address."""

    code = "member-email-taken"
    title = "The e-mail address is a member's already"
    advice = "Change the member who has it: he may be inactive, or not have accepted yet."


class LastOwnerError(ConflictError):
    """The ISV would be left without an owner who can sign in."""

    code = "last-owner"
    title = "An ISV keeps one owner"
    advice = "Make another member owner, and wait until he has accepted his invitation."


class AlreadySignedUpError(ConflictError):
    """The person has accepted: there is nothing to invite him to."""

    code = "already-signed-up"
    title = "The person has already signed up"
    advice = "Nothing is left to do; a forgotten password is reset on the sign-in page."


class InactivePlaceError(ConflictError):
    """Somebody who is switched off is not invited."""

    code = "person-inactive"
    title = "The person is not active"
    advice = "Switch the person on first, then send the invitation."


class OwnMembershipError(ForbiddenError):
    """Nobody changes his own role, or switches himself off."""

    code = "own-membership"
    title = "Nobody changes his own role"
    advice = "Ask another owner."
