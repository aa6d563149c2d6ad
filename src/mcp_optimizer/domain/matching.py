"""Which registry server a workload comes from (M1-M4), and why (M5). One code path for both (M6).

:func:`match` decides and keeps its steps; :func:`explain` calls it, adds what is stored and looks for near misses.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import NamedTuple

from mcp_optimizer.domain.difference import common_prefix
from mcp_optimizer.domain.identity import DOCKER_HUB, IdentityError, ImageParts, UrlParts, parse_image, parse_url
from mcp_optimizer.domain.models import (
    Alias,
    Cause,
    Drift,
    Duplicate,
    Evidence,
    Identity,
    IdentityKey,
    Kind,
    RegistryServer,
    Relation,
    Value,
    Workload,
)
from mcp_optimizer.domain.views import ChangeView


class Reason(StrEnum):
    """Why an entry is a near miss, strongest first (M5)."""

    RECORDED_PROVENANCE = "recorded-provenance"
    IMAGE_LABEL = "image-label"
    OTHER_TAG = "other-tag"
    OTHER_DIGEST = "other-digest"
    MOVED_IMAGE = "moved-image"
    TRAILING_SLASH = "trailing-slash"
    QUERY_DIFFERS = "query-differs"
    SCHEME_DIFFERS = "scheme-differs"
    PATH_DIFFERS = "path-differs"
    OTHER_KIND = "other-kind"
    DUPLICATE = "duplicate"


_STRENGTH = {reason: place for place, reason in enumerate(Reason)}


class Step(Value):
    """One step of the matcher: what it looked at, what came of it, and the particulars in words."""

    step: str
    outcome: str
    detail: str


class NearMiss(Value):
    """An entry that is not the match, and the exact difference: what runs against what the catalog names."""

    registry_server: str
    reason: Reason
    running: str
    catalog: str
    detail: str = ""
    """What the difference means, where the two spellings do not say it."""


class Match(Value):
    """The matcher's answer. ``server`` is set exactly when linked, ``claimants`` exactly when rejected."""

    verdict: Relation
    server: RegistryServer | None = None
    claimants: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()


class Subject(Value):
    """A workload as the matcher sees it, whether or not it has a row."""

    name: str
    kind: Kind
    identity: Identity | None
    identity_problem: str | None = None
    evidence: Evidence = Evidence()
    stored: Workload | None = None
    rejection: str | None = None
    """Why its last ingestion was rejected, while that stands (M2)."""


class Explanation(Value):
    """Why a workload inherits from the entry it does, or from none."""

    workload: str
    kind: Kind
    identity: str
    verdict: Relation
    registry_server: str | None
    steps: tuple[Step, ...]
    near_misses: tuple[NearMiss, ...]
    drift: Drift | None = None
    linkable_to: str | None = None
    """The entry that an explicit re-match would link it to (L3)."""
    evidence: Evidence = Evidence()
    """What others recorded of where it came from; shown beside the verdict, never part of it."""
    disagreement: str | None = None
    """Where that evidence names another entry than the verdict."""
    history: tuple[ChangeView, ...] = ()
    """How the relation came to be, oldest first (L11)."""


class Claim(NamedTuple):
    """A name of the catalog, and what it names."""

    name: str
    identity: Identity


class RegistryIndex:
    """The catalog by everything the matcher asks of it. Built once, then every question is a lookup."""

    def __init__(
        self,
        servers: Iterable[RegistryServer],
        duplicates: Iterable[Duplicate] = (),
        aliases: Iterable[Alias] = (),
    ) -> None:
        self.by_id: dict[str, RegistryServer] = {}
        self.by_key: dict[IdentityKey, RegistryServer] = {}
        """What the catalog names; a row that stands for its links alone is none of these (C7)."""
        self.by_name: Mapping[str, list[Claim]] = defaultdict(list)
        self.by_repository: Mapping[str, list[tuple[Claim, ImageParts]]] = defaultdict(list)
        self.by_path: Mapping[tuple[str, ...], list[tuple[Claim, ImageParts]]] = defaultdict(list)
        """Images by the last two parts of their path, which a mirror keeps."""
        self.by_digest: Mapping[str, list[Claim]] = defaultdict(list)
        self.by_host: Mapping[str, list[tuple[Claim, UrlParts]]] = defaultdict(list)
        self.duplicates = {duplicate.identity.key: duplicate for duplicate in duplicates}
        servers = sorted(servers, key=lambda server: (server.name, server.identity.canonical))
        for server in servers:
            self.by_id[server.id] = server
            if server.claim is None:
                self.by_key[server.identity.key] = server
        for claim in self._claims(servers):
            self._add(claim)
        self.names: Mapping[str, set[str]] = defaultdict(set)
        """Id of a registry server to the names it had before."""
        self.moved_from: Mapping[str, list[Claim]] = defaultdict(list)
        """Image repository to the claims of registry servers that the catalog moved away from it."""
        for alias in aliases:
            server = self.by_id.get(alias.registry_server_id)
            if server is None:
                continue
            self.names[server.id].add(alias.name)
            if alias.identity.kind is Kind.CONTAINER:
                repository = parse_image(alias.identity.canonical).full_repository
                self.moved_from[repository].append(Claim(server.name, server.claimed))

    def _claims(self, servers: Iterable[RegistryServer]) -> Iterator[Claim]:
        """Every name of the catalog with the identity it claims, those of duplicates that have no row included."""
        claims = {
            (name, key): Claim(name, duplicate.identity)
            for key, duplicate in sorted(self.duplicates.items())
            for name in duplicate.names
        }
        for server in servers:
            claims.setdefault((server.name, server.claimed.key), Claim(server.name, server.claimed))
        return iter(claims.values())

    def _add(self, claim: Claim) -> None:
        self.by_name[claim.name].append(claim)
        if claim.identity.kind is Kind.REMOTE:
            url = parse_url(claim.identity.canonical)
            self.by_host[url.host].append((claim, url))
            return
        image = parse_image(claim.identity.canonical)
        self.by_repository[image.full_repository].append((claim, image))
        self.by_path[_path_end(image)].append((claim, image))
        if image.digest is not None:
            self.by_digest[image.digest].append(claim)


def match(identity: Identity, index: RegistryIndex) -> Match:
    """The registry server of this kind and identity (M1): one links, none is autonomous, several reject (M2, M3)."""
    noun = "URL" if identity.kind is Kind.REMOTE else "image"
    spelled = "" if identity.raw == identity.canonical else f", given as {identity.raw}"
    steps = [Step(step="identity", outcome=identity.kind, detail=f"{identity.canonical}{spelled}")]
    server = index.by_key.get(identity.key)
    duplicate = index.duplicates.get(identity.key)
    if duplicate is not None:
        detail = f"the catalog names this {noun} for {', '.join(duplicate.names)}"
        steps.append(Step(step="lookup", outcome="several claim it", detail=detail))
        if not duplicate.resolved:
            steps.append(Step(step="resolution", outcome="unresolved", detail="no one has chosen which entry counts"))
            return Match(verdict=Relation.REJECTED, claimants=duplicate.names, steps=tuple(steps))
        steps.append(Step(step="resolution", outcome="resolved", detail=f"by hand: {duplicate.chosen}"))
    elif server is not None:
        steps.append(Step(step="lookup", outcome="match", detail=f"{server.name} has exactly this {noun}"))
    if server is None:
        steps.append(Step(step="lookup", outcome="no match", detail=f"no registry server has this {noun}"))
        return Match(verdict=Relation.AUTONOMOUS, steps=tuple(steps))
    return Match(verdict=Relation.LINKED, server=server, steps=tuple(steps))


def rejection_reason(identity: Identity, claimants: Iterable[str]) -> str:
    """The error of a rejected workload: names every claiming entry (M2)."""
    return f"several registry servers claim {identity.raw}: {', '.join(claimants)}"


def linkable_to(workload: Workload, index: RegistryIndex) -> RegistryServer | None:
    """The entry that an explicit re-match would link an autonomous workload to (L3).

    One that a person made autonomous is not offered again: that was a decision (L5).
    """
    if workload.linked or workload.identity is None or workload.relation_cause == Cause.UNLINKED_BY_HAND:
        return None
    return match(workload.identity, index).server


def disagreement(workload: Workload, index: RegistryIndex) -> str | None:
    """Where recorded provenance and our verdict differ, in words; None where they agree or nothing is recorded.

    An earlier name of the entry agrees: the record is older than the rename. A person's decision is not questioned.
    """
    if workload.identity is None or workload.relation_cause in {Cause.LINKED_BY_HAND, Cause.UNLINKED_BY_HAND}:
        return None
    server = index.by_id.get(workload.registry_server_id or "")
    agreeing = {server.name, *index.names[server.id]} if server else set()
    ours = f"linked to {server.name}" if server else "linked to nothing"
    for text, name in (
        ("ToolHive recorded", workload.evidence.recorded_registry_server),
        ("the image label names", workload.evidence.image_label),
    ):
        if name and name not in agreeing:
            return f"{text} {name}, but it is {ours}"
    return None


def drift_of(workload: Workload, server: RegistryServer | None) -> Drift | None:
    """How a linked workload differs from what the catalog now names for its entry, if it does (C7)."""
    if server is None or workload.identity is None or workload.identity.key == server.claimed.key:
        return None
    return Drift(running=workload.identity.raw, catalog=server.claimed.raw)


def explain(subject: Subject, index: RegistryIndex) -> Explanation:
    """Every step that led to the present relation, and every near miss, strongest first (M5).

    What is stored counts, as it outlives changes of the catalog (L1); what is not stored is as :func:`match` says.
    """
    stored = subject.stored
    if subject.identity is None:
        problem = subject.identity_problem or "unknown"
        steps = (
            Step(step="identity", outcome="unknown", detail=problem),
            Step(step="lookup", outcome="not made", detail="what is not identified is like nothing in the catalog"),
        )
        result = Match(verdict=Relation.UNIDENTIFIED, steps=steps)
    else:
        result = match(subject.identity, index)
    server = index.by_id.get(stored.registry_server_id or "") if stored else result.server
    verdict = _verdict(subject, result)
    linkable = linkable_to(stored, index) if stored and verdict is Relation.AUTONOMOUS else None
    drift = drift_of(stored, server) if stored else None
    return Explanation(
        workload=subject.name,
        kind=subject.kind,
        identity=subject.identity.raw if subject.identity else "",
        verdict=verdict,
        registry_server=server.name if server and (stored or verdict is Relation.LINKED) else None,
        steps=(*result.steps, *_stored_steps(subject, result, server, linkable)),
        near_misses=near_misses(subject, index, exclude=server or result.server),
        drift=drift,
        linkable_to=linkable.name if linkable else None,
        evidence=subject.evidence,
        disagreement=disagreement(stored, index) if stored else None,
    )


def _verdict(subject: Subject, found: Match) -> Relation:
    if subject.rejection is not None:
        return Relation.REJECTED
    return found.verdict if subject.stored is None else relation_of(subject.stored)


def relation_of(workload: Workload) -> Relation:
    """How a stored workload stands to the catalog, its last ingestion apart."""
    if workload.linked:
        return Relation.LINKED
    return Relation.AUTONOMOUS if workload.identity else Relation.UNIDENTIFIED


_CAUSE_WORDS: Mapping[str, str] = {
    Cause.FIRST_MATCH: "matched when it was first ingested",
    Cause.IDENTITY_CHANGED: "matched again when its identity changed",
    Cause.REGISTRY_RENAMED: "its registry server was renamed",
    Cause.REGISTRY_RETAGGED: "its registry server took over the identity of another",
    Cause.REGISTRY_REMOVED: "its registry server left the catalog",
    Cause.REGISTRY_DELETED: "its registry server was deleted by hand",
    Cause.REMATCH: "by an explicit re-match",
    Cause.LINKED_BY_HAND: "linked by hand",
    Cause.UNLINKED_BY_HAND: "unlinked by hand",
    Cause.UNIDENTIFIED: "what it is could not be told",
    Cause.OLDER_DATABASE: "as the database of the older program had it",
}


def _stored_steps(
    subject: Subject, found: Match, server: RegistryServer | None, linkable: RegistryServer | None
) -> Iterator[Step]:
    """What the store says beyond the match of this moment: relation and its cause, drift, linkable, rejection."""
    stored = subject.stored
    drift = drift_of(stored, server) if stored else None
    if stored is not None:
        cause = _CAUSE_WORDS.get(stored.relation_cause, stored.relation_cause)
        since = f"{cause}, {stored.relation_changed_at}" if stored.relation_changed_at else cause
        if server is not None:
            yield Step(step="relation", outcome="linked", detail=f"to {server.name}: {since}")
        else:
            yield Step(step="relation", outcome=relation_of(stored), detail=since)
    if drift is not None:
        yield Step(step="drift", outcome="drifted", detail=f"runs {drift.running}, the catalog names {drift.catalog}")
    if linkable is not None:
        detail = f"{linkable.name} now has this identity; an explicit re-match would link it"
        yield Step(step="re-match", outcome="linkable", detail=detail)
    if subject.rejection is not None:
        yield Step(step="ingestion", outcome="rejected", detail=subject.rejection)
        if found.verdict is not Relation.REJECTED:
            detail = "the reason is gone; the next ingestion of workloads takes it in"
            yield Step(step="ingestion", outcome="settled", detail=detail)


class _Candidate(NamedTuple):
    """Why a claim may be what was meant, and where the spellings do not say it, how."""

    reason: Reason
    claim: Claim
    detail: str = ""


def near_misses(
    subject: Subject, index: RegistryIndex, *, exclude: RegistryServer | None = None
) -> tuple[NearMiss, ...]:
    """Every near miss, strongest first, each entry once with its strongest reason; never ``exclude`` itself.

    An entry that has exactly the subject's identity is no near miss, unless several claim that identity (M2).
    """
    running = subject.identity
    best: dict[tuple[str, IdentityKey], NearMiss] = {}
    for reason, (name, claimed), detail in _candidates(subject, index):
        matched = running is not None and claimed.key == running.key and claimed.key not in index.duplicates
        excluded = exclude is not None and (exclude.name, exclude.claimed.key) == (name, claimed.key)
        known = best.get((name, claimed.key))
        if not (matched or excluded) and (known is None or _STRENGTH[reason] < _STRENGTH[known.reason]):
            best[name, claimed.key] = NearMiss(
                registry_server=name,
                reason=reason,
                running=running.raw if running else "",
                catalog=claimed.raw,
                detail=detail,
            )
    return tuple(sorted(best.values(), key=_strongest_first))


def _strongest_first(miss: NearMiss) -> tuple[int, int, str, str]:
    """By reason; within one, what has more of the beginning in common first."""
    return _STRENGTH[miss.reason], -common_prefix(miss.running, miss.catalog), miss.registry_server, miss.catalog


def _candidates(subject: Subject, index: RegistryIndex) -> Iterator[_Candidate]:
    yield from _evidence_candidates(subject, index)
    for claim in index.by_name.get(subject.name, ()):
        if claim.identity.kind is not subject.kind:
            yield _Candidate(Reason.OTHER_KIND, claim)
    if subject.identity is None:
        return
    duplicate = index.duplicates.get(subject.identity.key)
    if duplicate is not None and not duplicate.resolved:
        for name in duplicate.names:
            yield _Candidate(Reason.DUPLICATE, Claim(name, duplicate.identity))
    if subject.kind is Kind.CONTAINER:
        image = parse_image(subject.identity.canonical)
        yield from _image_candidates(subject.name, image, index)
        yield from _mirror_candidates(image, index)
    else:
        yield from _url_candidates(parse_url(subject.identity.canonical), index)


def _evidence_candidates(subject: Subject, index: RegistryIndex) -> Iterator[_Candidate]:
    for name, reason in (
        (subject.evidence.recorded_registry_server, Reason.RECORDED_PROVENANCE),
        (subject.evidence.image_label, Reason.IMAGE_LABEL),
    ):
        if name is not None:
            for claim in index.by_name.get(name, ()):
                yield _Candidate(reason, claim)


def _image_candidates(name: str, image: ImageParts, index: RegistryIndex) -> Iterator[_Candidate]:
    same_repository = index.by_repository.get(image.full_repository, ())
    for claim, catalog_image in same_repository:
        if image != catalog_image:
            pinned = image.digest is not None or catalog_image.digest is not None
            yield _Candidate(Reason.OTHER_DIGEST if pinned else Reason.OTHER_TAG, claim)
    here = {claim for claim, _ in same_repository}
    for claim in (*index.by_name.get(name, ()), *index.moved_from.get(image.full_repository, ())):
        if claim.identity.kind is Kind.CONTAINER and claim not in here:
            yield _Candidate(Reason.MOVED_IMAGE, claim)
    as_url = _other_kind_url(image)
    for claim, url in index.by_host.get(as_url.host, ()) if as_url else ():
        if as_url and (url.port, url.path.rstrip("/")) == (as_url.port, as_url.path.rstrip("/")):
            yield _Candidate(Reason.OTHER_KIND, claim)


def _mirror_candidates(image: ImageParts, index: RegistryIndex) -> Iterator[_Candidate]:
    """Images that this is a copy of, or that are copies of it: elsewhere by the same path, or by the same digest."""
    for claim, other in index.by_path.get(_path_end(image), ()):
        if image.full_repository != other.full_repository and is_mirror(image, other):
            detail = f"the same image path, at {image.registry} and not at {other.registry}"
            yield _Candidate(Reason.MOVED_IMAGE, claim, detail)
    for claim in index.by_digest.get(image.digest or "", ()):
        if parse_image(claim.identity.canonical).full_repository != image.full_repository:
            yield _Candidate(Reason.MOVED_IMAGE, claim, "the same digest, so the same image, under another name")


def is_mirror(one: ImageParts, other: ImageParts) -> bool:
    """Whether two images of different repositories are one by their paths: a mirror puts its own host, and perhaps
    a project and the host it copies from, before the path of the image."""
    paths = sorted((_mirrored_path(one), _mirrored_path(other)), key=len)
    return paths[1][-len(paths[0]) :] == paths[0]


def _mirrored_path(image: ImageParts) -> tuple[str, ...]:
    """The parts of an image's path, without the namespace that Docker Hub gives images that have none."""
    parts = tuple(image.repository.split("/"))
    return parts[1:] if image.registry == DOCKER_HUB and parts[0] == "library" else parts


def _path_end(image: ImageParts) -> tuple[str, ...]:
    """What a mirror keeps of a path: one name that nothing stands before says too little to be found by its end."""
    path = _mirrored_path(image)
    return path[-2:] if path[-2:-1] != ("library",) else path[-1:]


def _url_candidates(url: UrlParts, index: RegistryIndex) -> Iterator[_Candidate]:
    for claim, catalog_url in index.by_host.get(url.host, ()):
        reason = url_difference(url, catalog_url)
        if reason is not None:
            yield _Candidate(reason, claim)
    as_image = _other_kind_image(url)
    for claim, _ in index.by_repository.get(as_image.full_repository, ()) if as_image else ():
        yield _Candidate(Reason.OTHER_KIND, claim)


def url_difference(running: UrlParts, catalog: UrlParts) -> Reason | None:
    """The gravest way in which two URLs of one host differ; None when they are equal or of different ports."""
    if running == catalog or running.port != catalog.port:
        return None
    if running.path.rstrip("/") != catalog.path.rstrip("/"):
        return Reason.PATH_DIFFERS
    if running.scheme != catalog.scheme:
        return Reason.SCHEME_DIFFERS
    if (running.query, running.userinfo) != (catalog.query, catalog.userinfo):
        return Reason.QUERY_DIFFERS
    return Reason.TRAILING_SLASH


def _other_kind_url(image: ImageParts) -> UrlParts | None:
    """The URL that an image reference would be, were it one."""
    try:
        return parse_url(f"https://{image.full_repository}")
    except IdentityError:
        return None


def _other_kind_image(url: UrlParts) -> ImageParts | None:
    """The image reference that a URL would be, were it one."""
    port = "" if url.port is None else f":{url.port}"
    try:
        return parse_image(f"{url.host}{port}{url.path}".rstrip("/"))
    except IdentityError:
        return None
