# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._release.model import Observed, Release, SlotView
from ansible_collections.j4c.deploy.plugins.module_utils._release.plan import (
    Plan,
    choose_rollback,
    plan_recovery,
    plan_release,
    plan_rollback,
)
from ansible_collections.j4c.deploy.plugins.module_utils._release.rejections import reject
from ansible_collections.j4c.deploy.plugins.module_utils._release.steps import STEPS

from tests.unit.plugins.module_utils._release.samples import (
    release,
    server,
    settings,
    slot,
)

V1 = release("v1", sealed="2026-01-01T00:00:00.000Z")
V2 = release("v2", sealed="2026-01-02T00:00:00.000Z")
V3 = release("v3", sealed="2026-01-03T00:00:00.000Z")
NEW = release("new")
FAILED = release("failed")
BLUE = slot("blue", of="v2")
GO = "start check prove warm_up switch prove_gateway watch"


def told(plan: Plan) -> list[str]:
    """Return a plan as ``slot:release names...``, one entry for each run of steps about the same."""
    lines: list[str] = []
    for step in plan.steps:
        head = f"{step.slot}:{step.release}"
        if lines and lines[-1].split()[0] == head:
            lines[-1] += f" {step.name}"
        else:
            lines.append(f"{head} {step.name}")
    return lines


@pytest.mark.parametrize(
    ("observed", "changes", "expected"),
    [
        pytest.param(server(), {}, [f"green:new store {GO} seal prune"], id="first-release"),
        pytest.param(
            server(flag="green"), {}, [f"blue:new store {GO} seal prune"], id="first-release-after-a-lost-container"
        ),
        pytest.param(
            server(V2, blue=BLUE),
            {},
            [f"green:new store {GO} seal", "blue:v2 drain park", "green:new prune"],
            id="idle-absent",
        ),
        pytest.param(
            server(V1, V2, blue=BLUE, green=slot("green", "paused", "v1")),
            {},
            ["green:new store", "green:v1 clear", f"green:new {GO} seal", "blue:v2 drain park", "green:new prune"],
            id="idle-paused",
        ),
        pytest.param(
            server(V1, V2, blue=BLUE, green=slot("green", "running", "v1")),
            {},
            [
                "green:new store",
                "green:v1 drain clear",
                f"green:new {GO} seal",
                "blue:v2 drain park",
                "green:new prune",
            ],
            id="idle-still-running-is-drained",
        ),
        pytest.param(
            server(V2, blue=BLUE, green=SlotView("green", strays=("one-off",))),
            {},
            ["green:new store", "green: clear", f"green:new {GO} seal", "blue:v2 drain park", "green:new prune"],
            id="idle-has-a-stray",
        ),
        pytest.param(
            server(V1, V2, flag="green", green=slot("green", of="v2"), blue=slot("blue", "exited", "v1")),
            {},
            ["blue:new store", "blue:v1 clear", f"blue:new {GO} seal", "green:v2 drain park", "blue:new prune"],
            id="green-is-live",
        ),
        pytest.param(
            server(V2, blue=slot("blue", "exited", "v2")),
            {},
            [f"green:new store {GO} seal", "blue:v2 drain park", "green:new prune"],
            id="live-has-died",
        ),
        pytest.param(
            server(V2, blue=slot("blue", "paused", "v2")),
            {},
            [f"green:new store {GO} seal prune"],
            id="live-is-frozen-already",
        ),
        pytest.param(
            server(blue=slot("blue", of="lost")),
            {},
            [f"green:new store {GO} seal", "blue:lost drain park", "green:new prune"],
            id="live-without-manifest",
        ),
        pytest.param(
            server(V2, blue=BLUE),
            {"strategy": "recreate"},
            ["green:new store", "blue:v2 halt", f"green:new {GO} seal", "blue:v2 drain park", "green:new prune"],
            id="recreate",
        ),
        pytest.param(server(), {"strategy": "recreate"}, [f"green:new store {GO} seal prune"], id="recreate-first"),
        pytest.param(
            server(V2, blue=BLUE),
            {"hold_seconds": 5.0},
            [f"green:new store {GO} hold seal", "blue:v2 drain park", "green:new prune"],
            id="hold",
        ),
    ],
)
def test_a_release_goes_to_the_idle_slot(observed: Observed, changes: dict[str, t.Any], expected: list[str]) -> None:
    plan = plan_release(NEW, observed, settings(**changes))
    assert told(plan) == expected
    assert (plan.release, plan.slot, plan.switches) == (NEW, observed.idle.name, True)
    assert {step.name for step in plan.steps} <= STEPS.keys()


SAME = release("again", image="v2")


@pytest.mark.parametrize(
    ("observed", "standby", "expected"),
    [
        pytest.param(server(V2, blue=BLUE), "paused", [], id="nothing-to-do"),
        pytest.param(server(V1, V2, blue=BLUE, green=slot("green", "paused", "v1")), "paused", [], id="parked"),
        pytest.param(server(V1, V2, blue=BLUE, green=slot("green", "exited", "v1")), "stopped", [], id="stopped"),
        pytest.param(
            server(V1, V2, blue=BLUE, green=slot("green", "running", "v1")),
            "paused",
            ["green:v1 drain park"],
            id="standby-was-not-parked",
        ),
        pytest.param(
            server(V1, V2, blue=BLUE, green=slot("green", "running", "v1")), "running", [], id="standby-may-run"
        ),
    ],
)
def test_the_same_release_changes_nothing_but_tidies_up(observed: Observed, standby: str, expected: list[str]) -> None:
    plan = plan_release(SAME, observed, settings(standby=standby))
    assert told(plan) == expected
    assert plan.release is None
    assert not plan.switches


@pytest.mark.parametrize(
    ("observed", "desired"),
    [
        pytest.param(server(V2, blue=slot("blue", "exited", "v2")), SAME, id="not-running"),
        pytest.param(server(V2, blue=BLUE), release("again", image="v2", config="other"), id="other-configuration"),
        pytest.param(server(V2, blue=BLUE), release("v2", image="other"), id="other-image"),
        pytest.param(server(blue=BLUE), SAME, id="manifest-lost"),
    ],
)
def test_what_only_looks_the_same_is_released(observed: Observed, desired: Release) -> None:
    assert plan_release(desired, observed, settings()).switches


REJECTED = reject({}, V3, "slow", "2026-01-04")


@pytest.mark.parametrize("releases", [(V2, V3), (V2,)], ids=["stored", "removed"])
@pytest.mark.parametrize("again", [release("v3.2", image="v3"), release("v3", image="other")], ids=["image", "id"])
def test_a_rejected_release_is_refused_without_a_reason(releases: t.Any, again: Release) -> None:
    observed = server(*releases, blue=BLUE, rejected=REJECTED)
    with pytest.raises(DeployError) as caught:
        plan_release(again, observed, settings())
    assert caught.value.msg.startswith("Release 'v3' was rolled back at 2026-01-04 (slow)")
    assert "j4c_force_reason" in (caught.value.hint or "")


def test_a_rollback_to_a_rejected_release_needs_a_reason() -> None:
    observed = server(V1, V2, V3, blue=BLUE, rejected=REJECTED)
    with pytest.raises(DeployError, match="Release 'v3' was rolled back"):
        plan_rollback("v3", observed, settings())
    assert plan_rollback("v3", observed, settings(force_reason="it was the network")).switches
    assert told(plan_rollback(None, observed, settings()))[0].startswith("green:v1 start")


@pytest.mark.parametrize(
    ("desired", "releases", "reason"),
    [
        pytest.param(release("v3.2", image="v3"), (V2, V3), "fixed the database", id="with-a-reason"),
        pytest.param(release("v3.2", image="v3", config="other"), (V2, V3), "", id="other-configuration"),
        pytest.param(release("v3.2", image="other"), (V2,), "", id="other-image"),
        pytest.param(NEW, (V2, V3), "", id="another"),
    ],
)
def test_what_is_not_the_rejected_release_may_go(desired: Release, releases: t.Any, reason: str) -> None:
    observed = server(*releases, blue=BLUE, rejected=REJECTED)
    assert plan_release(desired, observed, settings(force_reason=reason)).release is desired


ALL = (V1, V2, V3, FAILED)
BLUE3 = slot("blue", of="v3")
WAKE = "wake check prove switch prove_gateway seal"
START = "start check prove warm_up switch prove_gateway seal"


@pytest.mark.parametrize(
    ("observed", "wanted", "changes", "expected"),
    [
        pytest.param(
            server(*ALL, blue=BLUE3, green=slot("green", "paused", "v2")),
            None,
            {},
            [f"green:v2 {WAKE}", "blue:v3 drain park"],
            id="standby-paused",
        ),
        pytest.param(
            server(*ALL, blue=BLUE3, green=slot("green", "running", "v2")),
            None,
            {},
            [f"green:v2 {WAKE}", "blue:v3 drain park"],
            id="standby-running",
        ),
        pytest.param(
            server(*ALL, blue=BLUE3, green=slot("green", "exited", "v2")),
            None,
            {},
            [f"green:v2 {WAKE}", "blue:v3 drain park"],
            id="standby-exited",
        ),
        pytest.param(
            server(*ALL, blue=BLUE3, green=slot("green", "dead", "v2")),
            None,
            {},
            [f"green:v2 clear {START}", "blue:v3 drain park"],
            id="standby-dead",
        ),
        pytest.param(
            server(*ALL, blue=BLUE3), None, {}, [f"green:v2 {START}", "blue:v3 drain park"], id="standby-absent"
        ),
        pytest.param(
            server(*ALL, blue=BLUE3, green=slot("green", "paused", "v1")),
            None,
            {},
            ["green:v1 clear", f"green:v2 {START}", "blue:v3 drain park"],
            id="standby-is-another-release",
        ),
        pytest.param(
            server(*ALL, blue=BLUE3, green=slot("green", "running", "v2")),
            "v1",
            {},
            ["green:v2 drain clear", f"green:v1 {START}", "blue:v3 drain park"],
            id="wanted-is-not-the-standby",
        ),
        pytest.param(server(*ALL, blue=BLUE3), "v3", {}, [], id="wanted-serves-already"),
        pytest.param(
            server(*ALL, blue=slot("blue", "exited", "v3")),
            "v3",
            {},
            [f"green:v3 {START}", "blue:v3 drain park"],
            id="wanted-serves-but-died",
        ),
        pytest.param(
            server(*ALL, blue=BLUE3, green=slot("green", "paused", "v2")),
            None,
            {"strategy": "recreate"},
            ["blue:v3 halt", f"green:v2 {WAKE}", "blue:v3 drain park"],
            id="recreate-wakes",
        ),
        pytest.param(
            server(*ALL, blue=BLUE3, green=slot("green", "paused", "v1")),
            None,
            {"strategy": "recreate"},
            ["green:v1 clear", "blue:v3 halt", f"green:v2 {START}", "blue:v3 drain park"],
            id="recreate-starts",
        ),
        pytest.param(server(*ALL), None, {}, [f"green:v3 {START}"], id="nothing-serves"),
    ],
)
def test_a_rollback_wakes_the_standby_or_starts_what_is_kept(
    observed: Observed, wanted: str | None, changes: dict[str, t.Any], expected: list[str]
) -> None:
    plan = plan_rollback(wanted, observed, settings(**changes))
    assert told(plan) == expected
    assert plan.switches is bool(expected)
    assert {step.name for step in plan.steps} <= STEPS.keys()


@pytest.mark.parametrize(
    ("observed", "wanted", "expected"),
    [
        pytest.param(server(*ALL, blue=BLUE3), None, "v2", id="the-one-before"),
        pytest.param(server(*ALL, blue=slot("blue", of="v2")), None, "v1", id="never-a-later-one"),
        pytest.param(
            server(*ALL, blue=BLUE3, rejected={"v2": {"at": "", "reason": ""}}), None, "v1", id="rejected-is-skipped"
        ),
        pytest.param(
            server(*ALL, blue=BLUE3, rejected={"v2": {"at": "", "reason": ""}}), "v2", "v2", id="rejected-by-name"
        ),
        pytest.param(server(*ALL, blue=slot("blue", of="v1")), "v3", "v3", id="later-by-name"),
        pytest.param(
            server(*ALL, live={"slot": "blue", "release": "v3", "since": ""}), None, "v2", id="the-live-one-was-removed"
        ),
        pytest.param(
            server(*ALL, blue=BLUE3, rejected=reject({}, release("v2.2", image="v2"), "", "")),
            None,
            "v1",
            id="rejected-by-image",
        ),
        pytest.param(server(*ALL, blue=slot("blue", of="failed")), None, "v3", id="the-live-one-was-never-sealed"),
        pytest.param(server(*ALL, blue=slot("blue", of="lost")), None, "v3", id="the-live-one-has-no-manifest"),
    ],
)
def test_which_release_a_rollback_goes_to(observed: Observed, wanted: str | None, expected: str) -> None:
    assert choose_rollback(wanted, observed).id == expected


@pytest.mark.parametrize(
    ("observed", "wanted", "message"),
    [
        pytest.param(
            server(*ALL, blue=BLUE3),
            "v9",
            "There is no release 'v9' on this server (kept: v1, v2, v3).",
            id="unknown",
        ),
        pytest.param(
            server(*ALL, blue=BLUE3),
            "failed",
            "Release 'failed' never served for good, so there is nothing to go back to (kept: v1, v2, v3).",
            id="never-sealed",
        ),
        pytest.param(
            server(V1, V2, blue=slot("blue", of="v1")),
            None,
            "There is no earlier release to go back to; 'v1' serves (kept: v1, v2).",
            id="first-release-serves",
        ),
        pytest.param(
            server(), None, "There is no earlier release to go back to; nothing serves (kept: none).", id="empty"
        ),
        pytest.param(
            server(V1, V2, blue=BLUE, rejected={"v1": {}}),
            None,
            "There is no earlier release to go back to; 'v2' serves (kept: v1, v2).",
            id="all-rejected",
        ),
    ],
)
def test_a_rollback_with_nothing_to_go_back_to_says_so(observed: Observed, wanted: str | None, message: str) -> None:
    with pytest.raises(DeployError) as caught:
        plan_rollback(wanted, observed, settings())
    assert caught.value.msg == message
    assert caught.value.hint


RELEASE = {"kind": "release", "target": "green", "previous": "blue"}
ROLLBACK = {**RELEASE, "kind": "rollback"}


@pytest.mark.parametrize(
    ("run", "flag", "expected"),
    [
        pytest.param(RELEASE, "blue", "revert keep", id="before-the-switch"),
        pytest.param(RELEASE, "green", "revert finish keep", id="not-validated"),
        pytest.param({**RELEASE, "previous": ""}, "green", "finish revert keep", id="nothing-to-go-back-to"),
        pytest.param({**RELEASE, "prepared": True}, "green", "revert finish keep", id="waits-for-its-seal"),
        pytest.param({**RELEASE, "validated": "SUCCESS"}, "green", "finish revert keep", id="validated"),
        pytest.param({**RELEASE, "validated": "REVIEW"}, "green", "finish revert keep", id="to-be-reviewed"),
        pytest.param({**RELEASE, "validated": "ROLLBACK"}, "green", "revert keep", id="not-accepted"),
        pytest.param({**RELEASE, "validated": "SUCCESS"}, "blue", "revert keep", id="was-on-its-way-back"),
        pytest.param(ROLLBACK, "green", "finish revert keep", id="rollback"),
        pytest.param(ROLLBACK, "blue", "revert keep", id="rollback-before-the-switch"),
        pytest.param({**RELEASE, "sealed": True}, "green", "tidy", id="sealed"),
        pytest.param({**RELEASE, "sealed": True}, "blue", "tidy", id="sealed-and-moved-by-hand"),
    ],
)
def test_how_an_interrupted_run_is_ended(run: dict[str, t.Any], flag: str, expected: str) -> None:
    assert " ".join(plan_recovery(run, server(flag=flag))) == expected


@pytest.mark.parametrize(
    ("observed", "expected"),
    [
        (server(blue=BLUE, green=SlotView("green", strays=("x",))), "clear green"),
        (server(blue=BLUE), "store green new"),
    ],
)
def test_a_step_describes_itself_in_one_line(observed: Observed, expected: str) -> None:
    assert expected in [step.describe() for step in plan_release(NEW, observed, settings()).steps]
