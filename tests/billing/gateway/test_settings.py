"""Keys, modes and addresses."""

import pytest
from pydantic import SecretStr

from flatbed.billing.gateway.settings import STRIPE, StripeSettings, mode_of
from flatbed.tenants.kit.settings import BadSettingError, KernelSettings

# Made here, so that nobody takes it for one that was lost.
LIVE = "_".join(("sk", "live", "0" * 24))


class TestModeOf:
    @pytest.mark.parametrize(
        ("key", "mode"),
        [("sk_test_a", "test"), ("rk_test_a", "test"), (LIVE, "live"), ("rk_live_a", "live")],
    )
    def test_a_key_says_its_mode(self, key: str, mode: str) -> None:
        assert mode_of(key) == mode

    @pytest.mark.parametrize(
        "key",
        ["", "sk", "sk_test", "sk_test_", "pk_test_a", "sk_prod_a", "sk_test_a b", "SK_test_a"],
    )
    def test_what_is_no_key_has_none(self, key: str) -> None:
        with pytest.raises(ValueError, match="no secret or restricted key"):
            mode_of(key)


class TestSettings:
    def test_nothing_is_needed_and_stripe_is_the_default(self) -> None:
        settings = StripeSettings()
        assert (settings.key, settings.mode, settings.base_url) == (None, None, STRIPE)
        assert settings.retries == 2

    def test_they_are_read_from_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("FLATBED_STRIPE_KEY", "sk_test_a")
        monkeypatch.setenv("FLATBED_STRIPE_BASE_URL", "http://127.0.0.1:8090/")
        settings = StripeSettings()
        assert settings.mode == "test"
        assert settings.base_url == "http://127.0.0.1:8090"

    @pytest.mark.parametrize("key", ["nonsense", "pk_test_a"])
    def test_a_bad_key_is_told_by_its_variable_and_not_shown(self, key: str) -> None:
        with pytest.raises(BadSettingError) as told:
            StripeSettings(key=SecretStr(key))
        assert "FLATBED_STRIPE_KEY" in str(told.value)
        assert key not in str(told.value)

    @pytest.mark.parametrize(
        "url",
        [
            "nonsense",
            "ftp://127.0.0.1",
            "http://stripe.example",
            "https://a:b@stripe.example",
            "https://stripe.example/v1",
            "https://stripe.example?x=1",
        ],
    )
    def test_a_bad_address_is_told(self, url: str) -> None:
        with pytest.raises(BadSettingError, match="FLATBED_STRIPE_BASE_URL"):
            StripeSettings(base_url=url)

    @pytest.mark.parametrize(
        "url", ["http://127.0.0.1:1", "http://localhost:1", "https://x.example"]
    )
    def test_a_live_key_goes_to_stripe_alone(self, url: str) -> None:
        assert StripeSettings(key=SecretStr(LIVE)).mode == "live"
        with pytest.raises(BadSettingError) as told:
            StripeSettings(key=SecretStr(LIVE), base_url=url)
        assert LIVE not in str(told.value)

    def test_the_kernels_settings_are_still_told_by_their_names(self) -> None:
        with pytest.raises(BadSettingError, match="FLATBED_POOL_SIZE"):
            KernelSettings(pool_size=0)
