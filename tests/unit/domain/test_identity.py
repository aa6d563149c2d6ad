"""Identity: canonical forms of URLs and image references (I1-I3)."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mcp_optimizer.domain.identity import (
    IdentityError,
    container_identity,
    identity_of,
    parse_image,
    parse_url,
    remote_identity,
)
from mcp_optimizer.domain.models import Kind
from tests.unit.builders import DIGEST_A

FAST = settings(max_examples=150, deadline=None)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("HTTPS://Mcp.Example.COM/sse", "https://mcp.example.com/sse"),
        ("https://mcp.example.com:443/sse", "https://mcp.example.com/sse"),
        ("https://mcp.example.com:0443/sse", "https://mcp.example.com/sse"),
        ("http://mcp.example.com:80/sse", "http://mcp.example.com/sse"),
        ("https://mcp.example.com:/sse", "https://mcp.example.com/sse"),
        ("https://mcp.example.com", "https://mcp.example.com/"),
        ("https://mcp.example.com/a%2fb", "https://mcp.example.com/a%2Fb"),
        ("https://mcp.example.com/%7Euser", "https://mcp.example.com/~user"),
        ("https://mcp.example.com/?q=%c3%bc", "https://mcp.example.com/?q=%C3%BC"),
        ("https://mcp.example.com/ü", "https://mcp.example.com/%C3%BC"),
        ("https://mcp.example.com/a/../b/./c", "https://mcp.example.com/b/c"),
        ("https://mcp.example.com/a/%2E%2e/b", "https://mcp.example.com/b"),
        ("https://bücher.example/mcp", "https://xn--bcher-kva.example/mcp"),
        ("https://[0:0:0:0:0:0:0:1]:443/mcp", "https://[::1]/mcp"),
        ("https://[FE80::1%25eth0]/mcp", "https://[fe80::1%25eth0]/mcp"),
        ("https://mcp.example.com/sse#anchor", "https://mcp.example.com/sse"),
        ("  https://mcp.example.com/sse\n", "https://mcp.example.com/sse"),
    ],
)
def test_i2_urls_that_mean_the_same_are_one_identity(one: str, other: str) -> None:
    assert remote_identity(one).key == remote_identity(other).key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://mcp.example.com/sse", "https://mcp.example.com/sse/"),
        ("https://mcp.example.com/sse", "https://mcp.example.com/SSE"),
        ("https://mcp.example.com/sse", "https://mcp.example.com/sse?"),
        ("https://mcp.example.com/sse?a=1", "https://mcp.example.com/sse?a=2"),
        ("https://mcp.example.com/sse", "http://mcp.example.com/sse"),
        ("https://mcp.example.com/sse", "https://mcp.example.com:8443/sse"),
        ("http://mcp.example.com:443/sse", "https://mcp.example.com/sse"),
        ("https://mcp.example.com/a%2Fb", "https://mcp.example.com/a/b"),
        ("https://mcp.example.com//sse", "https://mcp.example.com/sse"),
        ("https://mcp.example.com/?projectKey=alpha", "https://mcp.example.com/?projectKey=beta"),
        ("https://mcp.example.com/?author=a", "https://mcp.example.com/?author=b"),
        ("https://mcp.example.com/?tokenizer=a", "https://mcp.example.com/?tokenizer=b"),
        ("https://mcp.example.com/?monkey=a", "https://mcp.example.com/?monkey=b"),
        ("https://mcp.example.com/?api_key=a", "https://mcp.example.com/?api_key=b"),
        ("https://me:one@mcp.example.com/", "https://me:two@mcp.example.com/"),
        ("https://me@mcp.example.com/", "https://mcp.example.com/"),
    ],
)
def test_i2_urls_that_differ_in_path_slash_query_scheme_or_port_are_two(one: str, other: str) -> None:
    assert remote_identity(one).key != remote_identity(other).key


@pytest.mark.parametrize(
    ("one", "canonical"),
    [
        ("nginx", "docker.io/library/nginx:latest"),
        ("docker.io/nginx", "docker.io/library/nginx:latest"),
        ("index.docker.io/library/nginx:latest", "docker.io/library/nginx:latest"),
        ("registry-1.docker.io/mcp/time", "docker.io/mcp/time:latest"),
        ("mcp/time:1.0", "docker.io/mcp/time:1.0"),
        ("GHCR.io/stackloklabs/gofetch/server:1.0.1", "ghcr.io/stackloklabs/gofetch/server:1.0.1"),
        ("localhost/img", "localhost/img:latest"),
        ("localhost:5000/img", "localhost:5000/img:latest"),
        ("localhost:5000/img:2", "localhost:5000/img:2"),
        ("localhost:5000", "docker.io/library/localhost:5000"),
        ("[::1]:5000/img", "[::1]:5000/img:latest"),
        ("[0:0:0:0:0:0:0:1]:5000/img:1", "[::1]:5000/img:1"),
        (f"img@{DIGEST_A}", f"docker.io/library/img@{DIGEST_A}"),
        (f"img@{DIGEST_A.replace('a' * 64, 'A' * 64)}", f"docker.io/library/img@{DIGEST_A}"),
        (f"ghcr.io/a/b:1.0@{DIGEST_A}", f"ghcr.io/a/b:1.0@{DIGEST_A}"),
        ("ghcr.io/a/b__c---d.e:V1_x", "ghcr.io/a/b__c---d.e:V1_x"),
        (" mcp/time:1.0\t", "docker.io/mcp/time:1.0"),
    ],
)
def test_i2_i3_images_get_their_defaults(one: str, canonical: str) -> None:
    assert container_identity(one).canonical == canonical


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ghcr.io/a/b:1", "ghcr.io/a/b:2"),
        ("ghcr.io/a/b:v1", "ghcr.io/a/b:V1"),
        ("ghcr.io/a/b", f"ghcr.io/a/b@{DIGEST_A}"),
        ("ghcr.io/a/b:1", f"ghcr.io/a/b:1@{DIGEST_A}"),
        (f"ghcr.io/a/b:latest@{DIGEST_A}", f"ghcr.io/a/b@{DIGEST_A}"),
        ("localhost:5000/img", "localhost:5001/img"),
        ("mcp/time", "ghcr.io/mcp/time"),
    ],
)
def test_i2_tag_digest_and_registry_are_part_of_an_image(one: str, other: str) -> None:
    assert container_identity(one).key != container_identity(other).key


def test_i2_the_raw_spelling_is_kept_for_display() -> None:
    assert container_identity(" Nginx.Example/x ").raw == "Nginx.Example/x"
    assert remote_identity("HTTPS://MCP.example/a#b").raw == "HTTPS://MCP.example/a"


def test_i1_kind_is_part_of_the_key() -> None:
    assert identity_of(Kind.REMOTE, "https://mcp.example/x").key[0] is Kind.REMOTE
    assert identity_of(Kind.CONTAINER, "mcp.example/x").key[0] is Kind.CONTAINER


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "empty"),
        (" \t ", "empty"),
        ("mcp.example.com/sse", "scheme"),
        ("ftp://mcp.example.com/", "scheme"),
        ("file:///etc/passwd", "scheme"),
        ("https:///sse", "without a host"),
        ("https://:8080/sse", "without a host"),
        ("https://user:hunter2@/", "without a host"),
        ("https://user:hunter2@mcp.example.com:x/", "port"),
        ("https://mcp.example.com/a b", "white space"),
        ("https://mcp.example.com/\u202egpj.exe", "can't be printed"),
        ("https://mcp.example.com/\ud800", "can't be printed"),
        ("https://mcp.example.com:99999/", "port"),
        ("https://mcp.example.com:-1/", "port"),
        ("https://mcp.example.com:hunter2/", "port"),
        ("https://mcp.example.com:1:2/", "port"),
        ("https://[::1/", "host"),
        ("https://[::1]x/", "host"),
        ("https://[:::::]/", "host"),
        ("https://[v1.a]/", "IPv6"),
        ("https://-x.example/", "host"),
        ("https://a%62c.example/", "host"),
        ("https://mcp.example.com/100%", "%"),
        ("https://mcp.example.com/100%?41", "%"),
        ("https://mcp.example.com/?q=%zz", "%"),
        ("https://mcp.example.com/" + "a" * 2048, "characters"),
        ("https://mcp.example.com/" + "ü" * 500, "characters"),
    ],
)
def test_i3_a_url_that_does_not_parse_is_refused_with_the_reason(url: str, reason: str) -> None:
    with pytest.raises(IdentityError, match=reason) as caught:
        remote_identity(url)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        ("", "empty"),
        ("ghcr.io/A/b:1", "upper case"),
        ("Nginx", "upper case"),
        ("ghcr.io/a/b:", "bad tag"),
        ("ghcr.io/a/b:-1", "bad tag"),
        ("ghcr.io/a/b:" + "1" * 129, "bad tag"),
        ("ghcr.io/a/b@", "bad digest"),
        ("ghcr.io/a/b@sha256:abc", "bad digest"),
        (f"ghcr.io/a/b@{DIGEST_A}@{DIGEST_A}", "bad digest"),
        ("ghcr.io/a//b", "bad repository"),
        ("ghcr.io/", "bad repository"),
        ("/a/b", "bad repository"),
        ("a/b/", "bad repository"),
        ("a b", "white space"),
        ("https://ghcr.io/a/b", "bad registry"),
        ("ghcr.io:123456/a", "bad registry"),
        ("ghcr.io:99999/a", "bad registry"),
        ("[:::::]/a", "IPv6"),
        ("a" * 300, "255"),
        ("a" * 3000, "characters"),
    ],
)
def test_i3_an_image_that_does_not_parse_is_refused_with_the_reason(image: str, reason: str) -> None:
    with pytest.raises(IdentityError, match=reason):
        container_identity(image)


urlish = st.text(alphabet="htps:/?#[]@!$&'()*+,;=%.-_~aAfF019 ü\u200b\x00", max_size=40)
anything = st.one_of(
    st.text(max_size=60),
    urlish,
    st.builds("https://{}/{}".format, urlish, urlish),
    st.builds("ghcr.io/{}:{}@{}".format, urlish, urlish, urlish),
)


@FAST
@given(anything)
@example("https://a" + "." * 70)
@example("https://" + "ä" * 70 + "/")
@example("https://[::1%25" + "x" * 2000 + "]")
@example("https://h?" + "a" * 2037)
@example("https://" + "h" * 2040)
def test_i3_any_text_is_an_identity_or_refused_with_a_reason(text: str) -> None:
    for kind in Kind:
        try:
            found = identity_of(kind, text)
        except IdentityError as error:
            reason = str(error)
        else:
            reason = "none needed"
            assert identity_of(kind, found.canonical).key == found.key, "canonical forms are idempotent (I2)"
            assert identity_of(kind, found.raw).key == found.key
            assert found.canonical.isprintable()
        assert reason


label = st.from_regex(r"[a-z][a-z0-9]{0,8}", fullmatch=True)
scheme = st.sampled_from(["http", "https"])
path = st.lists(st.text(alphabet="abcXYZ019._~-", min_size=1, max_size=6).filter(lambda s: s not in {".", ".."}))


def mixed_case(draw: st.DrawFn, text: str) -> str:
    return "".join(char.upper() if draw(st.booleans()) else char for char in text)


@st.composite
def urls_in_two_spellings(draw: st.DrawFn) -> tuple[str, str]:
    name, host, segments = draw(scheme), f"{draw(label)}.{draw(label)}", draw(path)
    port = draw(st.sampled_from(["", ":", ":443" if name == "https" else ":80"]))
    spelled = "/".join("".join(f"%{ord(c):02x}" if draw(st.booleans()) else c for c in part) for part in segments)
    plain = f"{name}://{host}/{'/'.join(segments)}"
    return plain, f"{mixed_case(draw, name)}://{mixed_case(draw, host)}{port}/{spelled}"


@settings(max_examples=80, deadline=None)
@given(urls_in_two_spellings())
def test_i2_spelled_differently_a_url_stays_one_identity(spellings: tuple[str, str]) -> None:
    plain, other = spellings
    assert remote_identity(plain).key == remote_identity(other).key
    assert remote_identity(plain).canonical == plain


@settings(max_examples=40, deadline=None)
@given(name=label, tag=st.sampled_from(["", ":latest"]), host=st.sampled_from(["", "docker.io/", "Index.Docker.IO/"]))
def test_i2_spelled_differently_an_image_stays_one_identity(name: str, tag: str, host: str) -> None:
    namespaces = ["", "library/"]
    keys = {container_identity(f"{host}{namespace}{name}{tag}").key for namespace in namespaces}
    assert keys == {container_identity(name).key}


def test_parts_of_a_url_and_an_image_are_at_hand() -> None:
    url = parse_url("https://[::1]:8443/mcp/?a=1")
    assert (url.scheme, url.host, url.port, url.path, url.query) == ("https", "[::1]", 8443, "/mcp/", "a=1")
    image = parse_image(f"ghcr.io/a/b:1@{DIGEST_A}")
    assert (image.registry, image.full_repository, image.tag) == ("ghcr.io", "ghcr.io/a/b", "1")
    assert image.digest == DIGEST_A
