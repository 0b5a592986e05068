"""What the API takes and gives for an ISV's sign-in policy."""

from typing import Annotated

from pydantic import Field

from flatbed.tenants.kit.schemas import Input, Output

OwnersNeedTotp = Annotated[
    bool, Field(description="Whether owners need a second factor, an authenticator app's code.")
]


class SignInPolicyUpdate(Input):
    """The whole policy."""

    owners_need_totp: OwnersNeedTotp


class SignInPolicyRead(Output):
    """What the ISV asks of those who sign in for it."""

    owners_need_totp: OwnersNeedTotp
