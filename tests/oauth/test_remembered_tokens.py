"""A token that was found good says nothing of one that differs in its signature alone."""

import pytest

from flatbed.tenants.kit.problems import UnauthenticatedError
from tests.oauth.house import House

LIST = "/v1/oauth-clients"


class TestRememberedTokens:
    async def test_its_content_under_another_signature_is_refused(self, house: House) -> None:
        token = await house.token(house.agency)
        content, _, signature = token.rpartition(".")
        other = (await house.token(house.agency)).rpartition(".")[2]
        assert other != signature
        headers = {"Authorization": f"Bearer {token}"}
        assert (await house.http.get(LIST, headers=headers)).status_code == 200
        for forged in (other, signature[::-1], "A" * len(signature), ""):
            strange = f"{content}.{forged}"
            with pytest.raises(UnauthenticatedError):
                await house.oauth.authenticator.verify(strange)
            answer = await house.http.get(LIST, headers={"Authorization": f"Bearer {strange}"})
            assert (answer.status_code, answer.json()["code"]) == (401, "invalid-token")
        assert (await house.http.get(LIST, headers=headers)).status_code == 200
