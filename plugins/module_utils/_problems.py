# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""From what was read of a host and a user's daemon to its state, and to what is wrong with it: a table of rules over plain values.

To add a problem: one function, one line in the table, one case in the test's table, one line in docs/guide-info.md.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator
from typing import Any, Callable, NamedTuple

from ansible_collections.portside.rootless_docker.plugins.module_utils._cgroups import ESSENTIAL
from ansible_collections.portside.rootless_docker.plugins.module_utils._engine import parse_version
from ansible_collections.portside.rootless_docker.plugins.module_utils._procfs import option_value
from ansible_collections.portside.rootless_docker.plugins.module_utils._programs import DEAD, dead_network

ABSENT, CONFIGURED, DOWN, RUNNING, UNUSABLE = "absent", "configured", "down", "running", "unusable"
SUBORDINATE_IDS = 65536
DIGEST = "ROOTLESS_DOCKER_DIGEST"
MAX_NAMED = 5
"""Things of one kind that a sentence names; the rest is counted."""

State = dict[str, Any]


class Problem(NamedTuple):
    """One thing that is wrong.

    :ivar what: what is wrong, with the object's name.
    :ivar why: the cause, or what follows from it.
    :ivar remedy: what to do.
    """

    what: str
    why: str
    remedy: str


def unit_in_force(user: State, host: State) -> bool:
    """Whether a unit would start this user's daemon. The collection's own is loaded for everybody, and starts nobody without a folder."""
    unit = user["unit"]
    if unit["active"] == "no user manager":
        return user["environment"] is not None and host["unit_text"] is not None
    if unit["load"] != "loaded":
        return False
    return user["environment"] is not None or not only_for_folders(user, host)


def only_for_folders(user: State, host: State) -> bool:
    """Whether the unit in force is the system's, and starts only for users with a folder in /etc/rootless-docker."""
    return user["unit"]["fragment"] not in user["unit"]["shadows"] and "ConditionPathExists=/etc/rootless-docker/" in (
        host["unit_text"] or ""
    )


def state_of(user: State, host: State) -> str:
    """One word for the whole.

    C(absent): nothing is there. C(configured): part of it is there, and no unit that could start it is in force. C(down): a unit is
    there, and nothing runs. C(running): the Engine answers, and so does RootlessKit. C(unusable): something runs, and cannot be used.
    """
    if not user["exists"]:
        return CONFIGURED if user["folder"] else ABSENT
    running = user["running"]
    if running["rootlesskit"] or running["dockerd"]:
        sound = user["engine"]["error"] is None and running["api"] is not None and not dead_network(running)
        return RUNNING if sound else UNUSABLE
    if unit_in_force(user, host):
        # A unit that is active without any process of a daemon is nothing that a client can use.
        return UNUSABLE if user["unit"]["active"] == "active" else DOWN
    return CONFIGURED if user["folder"] or user["state_directory"] else ABSENT


# -- sentences ---------------------------------------------------------------


def manage(user: State, action: str) -> str:
    """A command for the user's unit, as root."""
    return f"systemctl --user --machine={user['name']}@ {action} docker.service"


def restart(user: State) -> str:
    """The command, and what it costs."""
    return f"{manage(user, 'restart')}; that stops every container of {user['name']}"


def journal(user: State) -> str:
    """Where the daemon's messages are."""
    return f"journalctl _UID={user['uid']} _SYSTEMD_USER_UNIT=docker.service"


def named(things: Iterable[str]) -> str:
    """The first of them, and how many more there are."""
    every = list(things)
    return ", ".join(every[:MAX_NAMED]) + (f" and {len(every) - MAX_NAMED} more" if len(every) > MAX_NAMED else "")


def older(text: str | None, than: tuple[int, ...]) -> bool:
    """Whether a version is known and older."""
    version = parse_version(text or "")
    return bool(version) and version < than


def pid_of(user: State, name: str) -> str:
    """A process, as a sentence names it."""
    return f"{name} (pid {user['running'][name]['pid']})"


# -- the host ----------------------------------------------------------------


def _no_program(host: State) -> Iterator[Problem]:
    for name, role in (("dockerd", "docker_engine"), ("rootlesskit", "rootlesskit"), ("newuidmap", "rootless_host")):
        if not host[name]:
            yield Problem(
                f"{name} is not installed", "a rootless daemon cannot start without it, unless a user has their own", f"role {role}"
            )
    if not host["pasta"] and not host["slirp4netns"]:
        yield Problem("neither pasta nor slirp4netns is installed", "RootlessKit has no network driver then", "role pasta")


def _sysctl(host: State) -> Iterator[Problem]:
    for each in host["sysctls"]:
        # ping is a convenience; ports depend on which are published.
        if each["ok"] is False and each["name"] != "net.ipv4.ping_group_range":
            yield Problem(
                f"sysctl {each['name']} is {each['value']}, needed is {each['needed']}", each["why"], "role rootless_host, or sysctl.d(5)"
            )


HOST_RULES: tuple[tuple[str, Callable[[State], Iterator[Problem]]], ...] = (
    ("program_missing", _no_program),
    ("sysctl", _sysctl),
)


# -- a user: what is there ---------------------------------------------------


def _account(u: State, _h: State) -> Iterator[Problem]:
    if not u["exists"] and u["folder"]:
        yield Problem(
            f"there is no account {u['name']}, and /etc/rootless-docker/{u['name']} is there",
            "the account was removed, or the directory service does not answer",
            f"getent passwd {u['name']}; role rootless_daemon with state: absent removes the folder",
        )


def _half_configured(u: State, h: State) -> Iterator[Problem]:
    if not u["folder"] or unit_in_force(u, h):
        return
    remedy = "run role rootless_daemon again"
    if u["environment"] is None:
        what = f"/etc/rootless-docker/{u['name']} has no file environment"
    elif u["unit"]["load"] == "masked":
        what, remedy = "docker.service is masked", manage(u, "unmask")
    elif h["unit_text"] is None and not u["unit"]["fragment"]:
        what = "there is a configuration for the daemon, and no unit docker.service"
    else:
        what = f"docker.service is not loaded (systemd: {u['unit']['load'] or u['unit']['active']})"
    yield Problem(what, "the configuration is there in part, so nothing can start the daemon", remedy)


def _shadowed(u: State, _h: State) -> Iterator[Problem]:
    unit = u["unit"]
    if u["folder"] and unit["load"] != "masked" and unit["fragment"] and unit["fragment"] in unit["shadows"]:
        yield Problem(
            f"the unit in force is {unit['fragment']}",
            "it hides /etc/systemd/user/docker.service, so what is declared has no effect",
            "run role rootless_daemon with rootless_daemon_adopt: true, which takes its data over; where that is in the usual place, also "
            f"as {u['name']}, systemctl --user disable --now docker.service, remove that file, then run the role",
        )


def _drop_in(u: State, _h: State) -> Iterator[Problem]:
    unit = u["unit"]
    extra = [path for path in unit["shadows"] if path != unit["fragment"]]
    if u["folder"] and extra:
        yield Problem(
            f"drop-ins that nobody declared change the unit: {named(extra)}",
            "what they set may win over what is declared",
            f"look at them (systemctl --user cat docker.service as {u['name']}); remove them, or declare what they set",
        )


def _not_reloaded(u: State, _h: State) -> Iterator[Problem]:
    if u["unit"]["needs_daemon_reload"]:
        yield Problem(
            "files of docker.service were changed, and the user's manager has not read them again",
            "the next start would still use the old ones",
            f"systemctl --user --machine={u['name']}@ daemon-reload, then {restart(u)}",
        )


def _no_manager(u: State, _h: State) -> Iterator[Problem]:
    if u["manager"] or u["state"] == ABSENT:
        return
    if u["unit"]["error"]:
        return
    if u["runtime_directory"] and not u["bus"]:
        yield Problem(
            f"/run/user/{u['uid']}/bus is not there",
            "the user's manager has no message bus, and the unit requires one",
            f"install dbus-user-session (role rootless_host), then systemctl restart user@{u['uid']}.service",
        )
        return
    why = "lingering is on, but the manager did not come up" if u["linger"] else "lingering is off, and the user is not logged in"
    remedy = f"systemctl start user@{u['uid']}.service, and journalctl -u user@{u['uid']}.service" if u["linger"] else ""
    yield Problem(
        "the user's systemd manager does not run, so neither can the daemon", why, remedy or f"loginctl enable-linger {u['name']}"
    )


def _manager_silent(u: State, _h: State) -> Iterator[Problem]:
    if u["unit"]["error"]:
        yield Problem(
            f"the user's systemd manager gives no answer: {u['unit']['error']}",
            "so nothing is known of the unit",
            f"systemctl status user@{u['uid']}.service",
        )


def _no_linger(u: State, _h: State) -> Iterator[Problem]:
    if not u["linger"] and u["manager"] and u["state"] in (DOWN, RUNNING, UNUSABLE):
        yield Problem(
            "lingering is off",
            "the daemon ends with the user's last session, and does not start at boot",
            f"loginctl enable-linger {u['name']}",
        )


def _down(u: State, _h: State) -> Iterator[Problem]:
    unit = u["unit"]
    if u["state"] != DOWN or not u["manager"] or unit["error"]:
        return
    result = f", result {unit['result']}" if unit["result"] not in ("", "success") else ""
    if unit["result"] in ("", "success") and not unit["condition"] and unit["active"] == "inactive":
        why = "it was not started since the manager came up, or a condition of the unit did not hold"
    elif unit["active"] == "inactive":
        why = "it was stopped"
    else:
        why = "it ended with an error" if unit["active"] == "failed" else "it is on its way up or down, or is started again and again"
    again = f"; if it ends again: {journal(u)}"
    first = f"systemctl --user --machine={u['name']}@ reset-failed docker.service, then " if unit["result"] == "start-limit-hit" else ""
    yield Problem(
        f"the daemon does not run: docker.service is {unit['active']} ({unit['sub']}){result}", why, first + manage(u, "start") + again
    )


def _not_found(u: State, _h: State) -> Iterator[Problem]:
    if u["unit"]["active"] == "active" and not u["running"]["rootlesskit"]:
        yield Problem(
            "docker.service is active, and its RootlessKit is not found",
            f"/run/user/{u['uid']}/dockerd-rootless/child_pid names no process of {u['name']}, and none looks like it",
            restart(u),
        )


def _rootlesskit_silent(u: State, _h: State) -> Iterator[Problem]:
    if u["running"]["rootlesskit"] and u["running"]["api"] is None:
        yield Problem(
            f"RootlessKit gives no usable answer: {u['running']['api_error']}", "so the drivers in effect are not known", restart(u)
        )


def _engine_silent(u: State, _h: State) -> Iterator[Problem]:
    if u["running"]["rootlesskit"] and u["engine"]["error"] is not None:
        why = {
            "untrusted": "the socket, and who listens on it, must be the user's: find out who put it there",
            "absent": "dockerd is starting, or did not come up",
        }
        yield Problem(
            f"the Engine gives no usable answer: {u['engine']['error']}",
            why.get(u["engine"]["reason"], "dockerd hangs, or is no dockerd"),
            f"{journal(u)}; then {restart(u)}",
        )


def _network_dead(u: State, _h: State) -> Iterator[Problem]:
    driver = dead_network(u["running"])
    if driver:
        yield Problem(
            f"{driver} is dead", "nothing restarts it: containers have no network, and every published port is refused", restart(u)
        )


def _stale(u: State, _h: State) -> Iterator[Problem]:
    for sentence in u["stale"]:
        if not sentence.endswith(DEAD):
            yield Problem(sentence, "the program was changed, and the daemon was not restarted since", restart(u))


def _not_taken_up(u: State, _h: State) -> Iterator[Problem]:
    digest = u["digest"]
    if u["running"]["rootlesskit"] and digest["declared"] != digest["running"]:
        yield Problem(
            "the daemon runs with another configuration than the declared one",
            f"its digest is {digest['running'] or 'none'}, declared is {digest['declared'] or 'none'}",
            f"role rootless_daemon, or {restart(u)}",
        )
        return
    changed = u["running"]["changed_variables"]
    if changed:
        yield Problem(
            f"the daemon was started with other values of {named(changed)} than its unit has now",
            "the unit's environment was changed, and the daemon was not restarted since",
            restart(u),
        )


def _reload_pending(u: State, _h: State) -> Iterator[Problem]:
    if u["reload_pending"]:
        yield Problem("daemon.json is newer than the daemon's last start or reload", "it may not be in effect", manage(u, "reload"))


# -- a user: the network -----------------------------------------------------


def _drivers_differ(u: State, _h: State) -> Iterator[Problem]:
    for what, words in (("driver", "network driver"), ("port_driver", "port driver")):
        asked, effect = u["network"][what]["asked"], u["network"][what]["in_effect"]
        if asked and effect and asked != effect:
            yield Problem(f"the {words} is {effect}, asked for was {asked}", "RootlessKit took another one", journal(u))


def _flag_missing(u: State, _h: State) -> Iterator[Problem]:
    pasta = u["running"]["pasta"]
    if not pasta or u["network"]["port_driver"]["in_effect"] != "implicit" or "--host-lo-to-ns-lo" in pasta["argv"]:
        return
    options = pasta["options"]
    if options is not None and "--host-lo-to-ns-lo" not in options:
        # Before passt had that option it did what the option does; so this is for the check to prove.
        return
    version = u["running"]["rootlesskit_version"]
    old = older(version, (2, 3, 2))
    yield Problem(
        f"{pid_of(u, 'pasta')} runs without --host-lo-to-ns-lo: a port published on 127.0.0.1 is accepted and then reset",
        f"rootlesskit {version} is older than 2.3.2, the first to give it" if old else "RootlessKit gives it: a wrapper is between them",
        f"role rootlesskit, then {restart(u)}"
        if old
        else f"look at --pasta-binary in DOCKERD_ROOTLESS_ROOTLESSKIT_FLAGS, then {restart(u)}",
    )


def _host_loopback(u: State, _h: State) -> Iterator[Problem]:
    asked, effect = u["network"]["host_loopback"]["asked"], u["network"]["host_loopback"]["in_effect"]
    if asked != "closed" or effect not in ("open", "mirrored"):
        return
    version = u["running"]["rootlesskit_version"]
    why = (
        f"rootlesskit {version} is older than 3.1.0, the first to close it" if older(version, (3, 1, 0)) else "a wrapper or a flag opens it"
    )
    yield Problem(
        f"services on the host's own loopback can be reached from inside ({effect}), although that was asked to be closed",
        why,
        f"role rootlesskit (3.1.0 or later), then {restart(u)}; published_port_check proves it",
    )


def _detached(u: State, _h: State) -> Iterator[Problem]:
    if u["network"]["host_loopback"]["asked"] == "closed" and u["network"]["detached_netns"]["in_effect"]:
        yield Problem(
            "services on the host's own loopback can be reached from containers with --net=host, although that was asked to be closed",
            "the network namespace is detached (--detach-netns), so such a container is in the host's own network",
            f"DOCKERD_ROOTLESS_ROOTLESSKIT_DETACH_NETNS=false (detach_netns of role rootless_daemon), then {restart(u)}; "
            "or leave it, if that is meant",
        )


def _ephemeral(u: State, h: State) -> Iterator[Problem]:
    pasta = u["running"]["pasta"]
    if not pasta or u["network"]["port_driver"]["in_effect"] != "implicit" or "--conf-path" not in (pasta["options"] or []):
        return
    # RootlessKit's own is --tcp-ports=auto; a range is given by -t before that.
    if option_value(tuple(pasta["argv"]), "-t") is not None or option_value(tuple(pasta["argv"]), "--tcp-ports") not in ("auto", None):
        return
    first, last = h["ephemeral_ports"]
    yield Problem(
        f"ports from {first} to {last}, where docker run -P and -p 80 take theirs from, are dead",
        "the port driver is implicit, and since passt 2026_05_07 pasta leaves out that range by itself",
        "role rootless_daemon (a wrapper, or port driver pesto), or publish on fixed ports outside that range",
    )


def _combination(u: State, _h: State) -> Iterator[Problem]:
    if u["network"]["port_driver"]["in_effect"] != "pesto":
        return
    engine = u["engine"]["version"]
    if parse_version(engine or "")[:1] == (28,):
        yield Problem(
            f"Engine {engine} cannot publish through the port driver pesto",
            "every publish over IPv4 fails with unsupported ChildIP",
            "port driver implicit, or another Engine",
        )
    if u["network"]["ipv6"]["in_effect"]:
        yield Problem(
            "the port driver pesto does not work with IPv6 on", "a plain docker run -p 8081:80 fails", "port driver implicit, or no --ipv6"
        )


def _collision(u: State, _h: State) -> Iterator[Problem]:
    for each in u["network"]["collisions"]:
        # Host bridges of a rootful Docker use the same pools by design; nobody needs to reach them from here.
        if each["docker_bridge"]:
            continue
        ours = each["what"] == "cidr"
        where = f"the host's network {each['host_network']} on {each['interface']}"
        yield Problem(
            f"{'the namespace network' if ours else each['what']} {each['network']} overlaps {where}",
            "containers cannot reach hosts of that network",
            f"another network: --cidr in DOCKERD_ROOTLESS_ROOTLESSKIT_FLAGS (option cidr of role rootless_daemon), then {restart(u)}"
            if ours
            else "default-address-pools or bip in daemon.json, or another --subnet for that network",
        )


def _ipv6(u: State, h: State) -> Iterator[Problem]:
    if u["network"]["ipv6"]["in_effect"] and not h["ipv6_default_route"]:
        yield Problem("IPv6 is on, and the host has no IPv6 default route", "containers reach nothing over it", "a route, or no --ipv6")


def _mtu(u: State, _h: State) -> Iterator[Problem]:
    mtu, driver = u["network"]["mtu"]["in_effect"], u["running"]["network_driver"]
    if mtu is not None and mtu < 9000 and driver in ("pasta", "slirp4netns"):
        yield Problem(
            f"the MTU of {driver} is {mtu}",
            "it is no wire: each packet is a system call, and at 1500 the throughput is a small part of that at 65520",
            f"DOCKERD_ROOTLESS_ROOTLESSKIT_MTU=65520 (role rootless_daemon), then {restart(u)}",
        )


def _privileged(u: State, h: State) -> Iterator[Problem]:
    # builtin and slirp4netns say so: docker run fails. And with CAP_NET_BIND_SERVICE on rootlesskit builtin may bind them.
    if u["network"]["port_driver"]["in_effect"] not in ("implicit", "pesto"):
        return
    start = h["unprivileged_port_start"]
    low = sorted({each["host_port"] for each in (u["published"] or {"ports": []})["ports"] if each["host_port"] < start})
    if low:
        yield Problem(
            f"published below {start}: {named(map(str, low))}",
            "net.ipv4.ip_unprivileged_port_start forbids the user these ports, and no error says so",
            f"net.ipv4.ip_unprivileged_port_start={low[0]} (role rootless_host), then {restart(u)}; or other ports",
        )


# -- a user: what the system gives -------------------------------------------


def _subordinate(u: State, _h: State) -> Iterator[Problem]:
    few = [f"{u[key]} in /etc/{path}" for key, path in (("subuid_count", "subuid"), ("subgid_count", "subgid")) if u[key] < SUBORDINATE_IDS]
    if few and u["state"] != ABSENT:
        yield Problem(
            f"too few subordinate ids: {', '.join(few)}, needed are {SUBORDINATE_IDS}",
            "without any the daemon does not start, with few images cannot be unpacked",
            "role rootless_daemon, module subid, or usermod --add-subuids and --add-subgids",
        )


def _overlap(u: State, _h: State) -> Iterator[Problem]:
    for each in u["subordinate_overlaps"]:
        first, last = each["first"], each["first"] + each["count"] - 1
        kind = "uids" if each["file"] == "/etc/subuid" else "gids"
        yield Problem(
            f"subordinate ids {first}-{last} that {each['file']} gives to {u['name']} are also those of {each['whose']}",
            "what runs with such an id in a container may read and change the other's files and processes",
            f"take them away from one of the two (module subid, or usermod --del-sub{kind} {first}-{last}) while its daemon is "
            "stopped; files in its data that belong to these ids are lost to it, so its images have to be pulled again",
        )


def _delegation(u: State, h: State) -> Iterator[Problem]:
    if u["cgroup_controllers"] is None or u["state"] == ABSENT:
        return
    missing = [name for name in ESSENTIAL if name in h["cgroup"]["controllers"] and name not in u["cgroup_controllers"]]
    if missing:
        yield Problem(
            f"cgroup controllers that the host has do not reach the user: {', '.join(missing)}",
            "limits such as docker run --memory have no effect",
            f"role rootless_host (delegation), then systemctl restart user@{u['uid']}.service; that stops every container of {u['name']}",
        )


def _apparmor(u: State, h: State) -> Iterator[Problem]:
    path = h["rootlesskit"]
    if u["state"] != DOWN or not h["apparmor"]["restrict_unprivileged_userns"] or not path or path == "/usr/bin/rootlesskit":
        return
    if not h["apparmor"]["profiles"]:
        yield Problem(
            f"AppArmor restricts user namespaces, and no profile names {path}",
            "the stock profile is for /usr/bin/rootlesskit only, so RootlessKit may not make its namespace",
            f"a profile for {path} with userns, in /etc/apparmor.d",
        )


def _cut_off(u: State, _h: State) -> Iterator[Problem]:
    if u["incomplete"]:
        yield Problem(
            "not everything was read in time", "something that belongs to the user hangs, or the host is overloaded", "a longer timeout"
        )


RULES: tuple[tuple[str, Callable[[State, State], Iterator[Problem]]], ...] = (
    ("account_missing", _account),
    ("half_configured", _half_configured),
    ("unit_shadowed", _shadowed),
    ("drop_in", _drop_in),
    ("manager_down", _no_manager),
    ("manager_silent", _manager_silent),
    ("no_linger", _no_linger),
    ("daemon_down", _down),
    ("rootlesskit_not_found", _not_found),
    ("rootlesskit_silent", _rootlesskit_silent),
    ("engine_silent", _engine_silent),
    ("network_dead", _network_dead),
    ("stale", _stale),
    ("daemon_reload", _not_reloaded),
    ("not_taken_up", _not_taken_up),
    ("reload_pending", _reload_pending),
    ("drivers_differ", _drivers_differ),
    ("loopback_flag_missing", _flag_missing),
    ("host_loopback", _host_loopback),
    ("detached_host_network", _detached),
    ("ephemeral_range", _ephemeral),
    ("combination", _combination),
    ("collision", _collision),
    ("ipv6_no_route", _ipv6),
    ("mtu", _mtu),
    ("privileged_port", _privileged),
    ("subordinate_ids", _subordinate),
    ("subordinate_overlap", _overlap),
    ("delegation", _delegation),
    ("apparmor", _apparmor),
    ("out_of_time", _cut_off),
)
"""Cause and rule, the most basic first. A rule for what is not known gives nothing."""

# -- a user: what versions are known for -------------------------------------


def passt_date(version: str | None) -> int | None:
    """The date that a version of passt is, as a number such as 20260611, however the distribution writes it; None where it has none."""
    match = re.search("(20[0-9]{2})_?([01][0-9])_?([0-3][0-9])", version or "")
    return int("".join(match.groups())) if match else None


def _passt(u: State, h: State) -> tuple[str | None, int]:
    """Version and date of the pasta that runs, or else of the one that would; a date in the far future where that is not known."""
    pasta, driver = u["running"]["pasta"], u["network"]["driver"]
    version = pasta["version"] if pasta else h["pasta_version"] if not driver["in_effect"] and driver["asked"] == "pasta" else None
    return version, passt_date(version) or 99999999


def _resolver(u: State, h: State) -> Iterator[Problem]:
    version, date = _passt(u, h)
    pasta, servers = u["running"]["pasta"], [ipaddress.ip_address(each) for each in h["nameservers"]]
    if date < 20250415 and pasta and "--no-map-gw" in pasta["argv"] and servers and all(each.is_loopback for each in servers):
        yield Problem(
            f"names may not resolve in containers: the host's resolver is {named(h['nameservers'])}, and passt is {version}",
            "before 2025_04_15 pasta with --no-map-gw cannot ask a resolver on the host's loopback",
            f"a newer passt (role pasta), then {restart(u)}; or a resolver at another address in /etc/resolv.conf",
        )


def _boot(u: State, h: State) -> Iterator[Problem]:
    version, date = _passt(u, h)
    if date < 20241127:
        yield Problem(
            f"the daemon may fail at boot, with passt {version}",
            "before 2024_11_27 pasta ends where the host's network is not up yet, and systemd gives up after some starts (start-limit-hit)",
            "a newer passt (role pasta)",
        )


def _loopback_tcp(u: State, h: State) -> Iterator[Problem]:
    version, date = _passt(u, h)
    if date < 20260611:
        yield Problem(
            f"a TCP connection over the host's loopback may hang, with passt {version}",
            "that was mended in 2026_06_11 (passt bugs 202 and 207)",
            f"a newer passt (role pasta), then {restart(u)}",
        )


def _ipv6_routes(u: State, _h: State) -> Iterator[Problem]:
    version = u["running"]["rootlesskit_version"]
    if u["network"]["ipv6"]["in_effect"] and u["running"]["network_driver"] == "pasta" and older(version, (3, 2, 0)):
        yield Problem(
            f"containers may have wrong IPv6 routes, with rootlesskit {version}",
            "3.2.0 is the first to set them right for pasta; published ports answer all the same",
            f"role rootlesskit (3.2.0 or later), then {restart(u)}",
        )


ADVICE: tuple[tuple[str, Callable[[State, State], Iterator[Problem]]], ...] = (
    ("loopback_resolver", _resolver),
    ("fails_at_boot", _boot),
    ("loopback_tcp_hangs", _loopback_tcp),
    ("ipv6_routes", _ipv6_routes),
)
"""What the versions that run are known for, and was not seen."""

WITHOUT_ACCOUNT = frozenset({"account_missing"})


def _results(cause: str, problems: Iterable[Problem]) -> list[dict[str, str]]:
    return [{"cause": cause, **problem._asdict()} for problem in problems]


def user_problems(user: State, host: State) -> list[dict[str, str]]:
    """What is wrong with one user's daemon; C(state) has to be there."""
    return [problem for cause, rule in RULES if user["exists"] or cause in WITHOUT_ACCOUNT for problem in _results(cause, rule(user, host))]


def user_advice(user: State, host: State) -> list[dict[str, str]]:
    """What may go wrong with one user's daemon."""
    if not user["exists"] or user["state"] == ABSENT:
        return []
    return [advice for cause, rule in ADVICE for advice in _results(cause, rule(user, host))]


def host_problems(host: State) -> list[dict[str, str]]:
    """What is wrong with a host that has a daemon, or should have one."""
    return [problem for cause, rule in HOST_RULES for problem in _results(cause, rule(host))]
