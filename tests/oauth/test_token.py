"""POST /oauth/token with client_credentials."""

from tests.oauth.house import House


class TestIssue:
    async def test_a_client_gets_a_token_for_ten_minutes(self, house: House) -> None:
        reply = await house.ask(house.agency)
        assert reply.status_code == 200, reply.text
        body = reply.json()
        assert body["token_type"] == "Bearer"
        assert body["expires_in"] == 600

    async def test_an_isv_works(self, house: House) -> None:
        client = await house.isv_client("acme", "campaigns:read")
        reply = await house.ask(client)
        assert reply.status_code == 200, reply.text
