"""What the API gives for invitations."""

from datetime import datetime

from flatbed.tenants.kit.schemas import Output


class InvitationRead(Output):
    """An invitation that waits to be accepted."""

    expires_at: datetime
