# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The policy for Dockerfiles: all rules, exceptions with their reasons, and what is refused.

This module util is PRIVATE to the collection. It may change at any time.
"""

from __future__ import annotations

import dataclasses
import datetime
import typing as t
from dataclasses import dataclass, field

from ansible_collections.j4c.deploy.plugins.module_utils import _dockerfile_policy_rules as rules
from ansible_collections.j4c.deploy.plugins.module_utils._dockerfile_policy_bases import base_findings
from ansible_collections.j4c.deploy.plugins.module_utils._dockerfile_policy_finding import SEVERITIES, Finding, Severity
from ansible_collections.j4c.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.j4c.deploy.plugins.module_utils._image_dockerfile import Stage, bases, lineage, reached

RULES = frozenset(
    ["add_url", "artifact_incomplete", "base_denied", "base_deprecated", "base_end_of_life", "base_latest"]
    + ["base_not_allowed", "base_not_pinned", "copy_missing", "layer_order", "layers_merged", "secret_arg"]
    + ["secret_copy", "secret_env", "secret_text", "user_root"]
)
_HADOLINT = ("DL", "SC")


@dataclass(frozen=True)
class Policy:
    """The policy as it was asked for.

    :param refuse: findings of this severity and above are refused: ``error``, ``warning``, ``info`` or ``never``.
    :param allow: patterns of base images that may be used; any when empty.
    :param deny: patterns of base images that may not.
    :param severities: another severity for rules by their name.
    :param exceptions: ``rule`` and ``reason`` of what is let pass.
    :param hadolint: ask hadolint where it is installed.
    """

    refuse: str = "error"
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    severities: t.Mapping[str, str] = field(default_factory=dict)
    exceptions: tuple[t.Mapping[str, str], ...] = ()
    hadolint: bool = True


def make_policy(data: t.Mapping[str, t.Any]) -> Policy:
    """Return a policy from the option; what is missing or ``None`` has its default.

    :raises DeployError: a rule that nobody knows, a severity that there is not, an exception without a reason.
    """
    given = {key: value for key, value in data.items() if value is not None}
    for key in ("allow", "deny", "exceptions"):
        given[key] = tuple(given.get(key) or ())
    policy = Policy(**given)
    named = [*policy.severities, *(str(item.get("rule") or "") for item in policy.exceptions)]
    unknown = sorted({rule for rule in named if rule not in RULES and not rule.startswith(_HADOLINT)})
    if unknown:
        raise DeployError(
            f"The option policy names rules that there are not: {', '.join(map(repr, unknown))}.",
            hint=f"The rules are {', '.join(sorted(RULES))}, and those of hadolint (DL..., SC...).",
        )
    wrong = sorted({str(value) for value in policy.severities.values() if value not in SEVERITIES})
    if wrong:
        raise DeployError(
            f"The option policy.severities has {', '.join(map(repr, wrong))}.", hint=f"Use {', '.join(SEVERITIES)}."
        )
    bare = sorted(str(item["rule"]) for item in policy.exceptions if not str(item.get("reason") or "").strip())
    if bare:
        raise DeployError(
            f"The exception for {', '.join(bare)} in the option policy has no reason.",
            hint="Say in its reason why this may pass: whoever reads it next will ask.",
        )
    return policy


def inspect(
    policy: Policy,
    stages: t.Sequence[Stage],
    layers: t.Sequence[str],
    filled: t.Sequence[str],
    users: t.Mapping[str, str],
    today: datetime.date,
) -> list[Finding]:
    """Return all that the rules find, in the order of the Dockerfile. Pure.

    :param stages: stages of the Dockerfile; those that the last one does not need are not looked at.
    :param layers: directories of the build context, the one that changes least first.
    :param filled: those of them that have files; none when that is not known yet.
    :param users: user of each base image that the engine has, by the image's name.
    """
    built = [stages[index] for index in reached(stages)]
    items = sorted((item for stage in built for item in stage.instructions), key=_line)
    found: list[Finding] = []
    for base in bases(stages):
        found += base_findings(base, policy.allow, policy.deny, today)
    found += rules.user_findings(stages, _base_user(stages, users))
    found += rules.add_findings(items)
    found += rules.secret_findings(items)
    found += rules.order_findings(stages, layers)
    found += rules.context_findings(items, layers, filled)
    return sorted(found, key=_line)


def _line(item: t.Any) -> int:
    return int(item.line)


def _base_user(stages: t.Sequence[Stage], users: t.Mapping[str, str]) -> str | None:
    lowest = stages[lineage(stages)[0]].base.name
    return "" if lowest == "scratch" else users.get(lowest)


def apply_policy(policy: Policy, findings: t.Iterable[Finding]) -> list[Finding]:
    """Return the findings with the severities and exceptions of the policy. Pure."""
    reasons = {str(item["rule"]): str(item["reason"]) for item in policy.exceptions}
    return [
        dataclasses.replace(
            item,
            severity=t.cast(Severity, policy.severities.get(item.rule, item.severity)),
            excepted=reasons.get(item.rule, ""),
        )
        for item in findings
    ]


def refused(policy: Policy, findings: t.Iterable[Finding]) -> list[Finding]:
    """Return the findings that stop the build. Pure."""
    if policy.refuse == "never":
        return []
    stopping = SEVERITIES[: SEVERITIES.index(t.cast(Severity, policy.refuse)) + 1]
    return [item for item in findings if item.severity in stopping and not item.excepted]


def shown(item: Finding, path: str) -> str:
    """Return a finding as one line."""
    return f"{path}:{item.line}: {item.rule}: {item.message}. {item.remedy}"


def as_dict(item: Finding, path: str) -> dict[str, t.Any]:
    """Return a finding as results show it."""
    return {
        "rule": item.rule,
        "severity": item.severity,
        "file": path,
        "line": item.line,
        "message": item.message,
        "remedy": item.remedy,
        "excepted": item.excepted or None,
    }


def enforce(policy: Policy, findings: t.Sequence[Finding], path: str) -> None:
    """Refuse what the policy refuses.

    :raises DeployError: with ``evidence``: the code ``policy`` and all findings.
    """
    stopping = refused(policy, findings)
    if not stopping:
        return
    told = " ".join(f"[{index}] {shown(item, path)}" for index, item in enumerate(stopping, 1))
    raise DeployError(
        f"The Dockerfile policy refuses {len(stopping)} finding{'s' if len(stopping) > 1 else ''}: {told}",
        hint="What must stay goes into policy.exceptions (j4c_image_policy.exceptions), by rule and with a reason.",
        evidence={"code": "policy", "findings": [as_dict(item, path) for item in findings]},
    )
