import math
from pathlib import Path

import pytest

from actorllm.protocol.address import Address
from actorllm.protocol.settings import VARIABLES, Settings, SettingsError

HOME = {"HOME": "/home/ada"}


def test_our_prefix_wins_over_the_inherited_one():
    environ = {"ACTORLLM_MODELS": "/ours", "OLLAMA_MODELS": "/theirs", "OLLAMA_HOST": "h"}
    read = Settings.read(HOME | environ)
    assert read.models == Path("/ours")
    assert read.host == Address("h")
    assert read.keep_alive == 300


def test_spaces_and_quotes_around_a_value_are_dropped_and_an_empty_one_is_unset():
    assert Settings.read(HOME | {"ACTORLLM_HOST": " '1.2.3.4' "}).host == Address("1.2.3.4")
    assert Settings.read(HOME | {"ACTORLLM_HOST": " ", "OLLAMA_HOST": "x"}).host == Address("x")


def test_an_empty_environment_gives_the_defaults():
    settings = Settings.read(HOME)
    assert settings == Settings(
        models=Path("/home/ada/.actorllm/models"), state=Path("/home/ada/.actorllm")
    )
    assert settings.host.bind == "127.0.0.1:11434"
    assert settings.max_queue == 512
    assert settings.max_request_bytes == 48 * 1024 * 1024


def test_models_follow_the_state_folder_unless_they_have_their_own():
    assert Settings.read({"ACTORLLM_STATE": "/s"}).models == Path("/s/models")
    read = Settings.read({**HOME, "ACTORLLM_STATE": "/s", "OLLAMA_MODELS": "~/m"})
    assert read.models == Path("/home/ada/m")


def test_every_variable_has_a_field_of_the_settings():
    fields = set(Settings.__annotations__)
    assert {variable.field for variable in VARIABLES} == fields


def test_the_documented_defaults_are_the_ones_in_force():
    settings = Settings.read(HOME)
    for variable in VARIABLES:
        if variable.default and not variable.default.startswith(("~", "$")):
            assert variable.parse(variable.default) == getattr(settings, variable.field)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("300", 300), ("5m", 300), ("1h30m", 5400), ("1.5s", 1.5), ("0", 0), ("-1", math.inf)],
)
def test_keep_alive_is_seconds_or_a_duration(text, seconds):
    assert Settings.read({**HOME, "OLLAMA_KEEP_ALIVE": text}).keep_alive == seconds


def test_no_load_timeout_is_said_as_zero():
    assert Settings.read({**HOME, "OLLAMA_LOAD_TIMEOUT": "0"}).load_timeout == math.inf


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KEEP_ALIVE", "soon"),
        ("KEEP_ALIVE", "5m later"),
        ("NUM_PARALLEL", "-1"),
        ("KV_DISK", "much"),
        ("KV_MEMORY", "1.5GiB"),
        ("NUM_PARALLEL", "many"),
        ("MAX_QUEUE", "-1"),
        ("MAX_QUEUE", "٣"),
        ("DEBUG", "maybe"),
        ("HOST", "http://[::1"),
        ("HOST", "a:b"),
        ("HOST", "a:99999"),
        ("HOST", "ftp://a"),
        ("KV_CACHE_TYPE", "q3"),
        ("KV_CACHE_TYPE", "bf16"),
        ("PULL_BANDWIDTH", "fast"),
        ("PULL_BANDWIDTH", "1k"),
        ("TRANSFER_RETRY_WAIT", "0"),
        ("TRANSFER_RETRY_WAIT", "-1"),
        ("TRANSFER_RETRY_WAIT", "1m"),
        ("STOP_GRACE", "-1"),
        ("STOP_GRACE", "2h"),
        ("REGISTRY_MIRROR", "mirror"),
        ("REGISTRY_MIRROR", "=https://mirror"),
        ("REGISTRY_MIRROR", "https://mirror/v2"),
    ],
)
def test_a_bad_value_is_one_line_that_names_its_variable(name, value):
    with pytest.raises(SettingsError) as caught:
        Settings.read({**HOME, f"OLLAMA_{name}": value})
    assert str(caught.value).startswith(f"OLLAMA_{name}=")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "rate"),
    [("100000", 1e5), ("800k", 8e5), ("25MB", 25e6), ("1.5 GB/s", 1.5e9)],
)
def test_a_bandwidth_has_decimal_units(text, rate):
    assert Settings.read({**HOME, "ACTORLLM_PULL_BANDWIDTH": text}).pull_bandwidth == rate


@pytest.mark.parametrize(("text", "seconds"), [("10ms", 0.01), ("3", 3.0), ("1.5s", 1.5)])
def test_the_wait_before_another_try_is_a_duration(text, seconds):
    read = Settings.read({**HOME, "ACTORLLM_TRANSFER_RETRY_WAIT": text})
    assert read.transfer_retry_wait == seconds


@pytest.mark.parametrize(("text", "seconds"), [("0", 0.0), ("500ms", 0.5), ("1h", 3600.0)])
def test_the_grace_of_a_stop_is_a_duration(text, seconds):
    assert Settings.read({**HOME, "ACTORLLM_STOP_GRACE": text}).stop_grace == seconds


def test_mirrors_are_of_the_default_registry_or_of_named_ones():
    text = "https://here:5000/, hf.co=http://[::1]:80"
    assert Settings.read({**HOME, "ACTORLLM_REGISTRY_MIRROR": text}).registry_mirror == (
        ("", "https://here:5000"),
        ("hf.co", "http://[::1]:80"),
    )


def test_without_a_home_folder_the_error_says_what_to_set():
    with pytest.raises(SettingsError, match="ACTORLLM_STATE"):
        Settings.read({})
    assert Settings.read({"ACTORLLM_STATE": "/s"}).state == Path("/s")


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("", "http://127.0.0.1:11434"),
        ("example", "http://example:11434"),
        ("example:8080", "http://example:8080"),
        (":8080", "http://127.0.0.1:8080"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("0.0.0.0:1", "http://127.0.0.1:1"),
        ("http://example", "http://example:80"),
        ("https://example/", "https://example:443"),
        ("https://example:1/llm/", "https://example:1/llm"),
        ("::1", "http://[::1]:11434"),
        ("[::]:5", "http://[::1]:5"),
    ],
)
def test_addresses_are_read_in_all_their_forms(text, url):
    assert Address.parse(text).url == url


def test_only_addresses_of_this_machine_are_local():
    local = ["", "localhost", "127.0.0.9", "0.0.0.0", "[::1]:3", ":80"]
    assert all(Address.parse(text).is_local for text in local)
    assert not any(Address.parse(text).is_local for text in ["10.0.0.1", "example.com"])


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("123", 123), ("2k", 2000), ("500MB", 500_000_000), ("2GiB", 2 << 30)],
)
def test_a_size_has_decimal_or_binary_units(text, size):
    home = {"HOME": "/home/a"}
    assert Settings.read({"ACTORLLM_KV_DISK": text} | home).kv_disk == size
