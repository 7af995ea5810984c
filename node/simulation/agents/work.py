"""The worker of a machine: it asks the ledger what is wanted, claims it, takes its time, and reports.

It follows `node/work/loop.py`: one claim at a time, progress four times in a lease while the work goes on, an end of
workers that hang, a release of earlier claims after a start, and no more work on what nobody wants.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial

from consensus.ledger import Effect
from consensus.ledger.priorities import next_work
from consensus.ledger.records import transactions as t
from consensus.ledger.records.entities import Claim
from node.simulation.agents.duration import seconds_of
from node.simulation.agents.machines import Machine
from node.simulation.agents.order import Author
from node.simulation.agents.profiles import ProfileAgent
from node.simulation.agents.reports import Reports
from node.simulation.agents.timeline import Timer
from node.simulation.agents.world import World
from node.work.watchdog import SILENT_S

_HANG = 0.001  # the share of honest machines' jobs that hang
_PACE = (0.9, 1.2)  # between which the speed of a machine differs from job to job, as others use it
_LOOK_S = 6.0  # between two looks of a machine that is idle: each costs the simulation a millisecond
_SEEN_S = 1.0  # between two looks at whether a report is in the order


class WorkAgent:
    """One machine's work: nothing, a claim that is asked for, or a claim that it works on."""

    def __init__(self, world: World, author: Author, machine: Machine, profile: ProfileAgent) -> None:
        self._world = world
        self._author = author
        self._machine = machine
        self._profile = profile
        self._reports = Reports(world, author, machine)
        self._chance = random.Random(f"work {world.seed} {machine.number}")
        self._is_on = False
        self._after_drain: Callable[[], None] | None = None
        self._asked: int | None = None  # the id of a claim that is not granted yet, or has no seed or slot yet
        self._is_granted = False  # whether that is granted
        self._claim: Claim | None = None  # once its seed or slot is known
        self._begun_s = 0.0  # when that was
        self._timers: list[Timer] = []
        self.is_idle = False  # nothing was wanted
        self._must_look = False  # something has happened since, after which there may be work
        self._looked_s = 0.0

    # Life.

    def begin(self) -> None:
        """Give back what was claimed in an earlier life, and begin to work."""
        self._is_on = True
        for claim in self._world.ledger.claims_of(self._author.id):
            self._author.submit(t.Release(self._author.next_id(), claim.id, "the node was restarted"))
        self._choose()

    def drain(self, then: Callable[[], None]) -> None:
        """Finish the present claim, take no other one, and then do something."""
        self._after_drain = then
        self._world.measures.usage.end_capable(self._author.id, self._now_s)
        if self._asked is None and self._claim is None:
            self._end_drain()

    def vanish(self) -> None:
        """Stop at once, whatever is claimed."""
        self._world.measures.usage.end_capable(self._author.id, self._now_s)
        for claim in self._world.ledger.claims_of(self._author.id):
            self._world.measures.leases.watch(claim.key, self._now_s)
        self._is_on = False
        self._end_claim()

    def _end_drain(self) -> None:
        then, self._after_drain = self._after_drain, None
        self._is_on = False
        if then is not None:
            then()

    # From the wish to the grant.

    def look_again(self) -> None:
        """Choose again soon, if nothing was wanted before."""
        self._must_look = True

    def _look_if_due(self) -> None:
        if self._must_look and self._now_s - self._looked_s >= _LOOK_S:
            self._choose()

    def _choose(self) -> None:
        self.is_idle = self._must_look = False
        self._looked_s = self._now_s
        if not self._is_on or self._asked is not None or self._claim is not None:
            return
        if self._after_drain is not None:
            self._end_drain()
            return
        work = next_work(self._world.ledger, self._author.id, self._machine.character.roles)
        if work is None:
            self.is_idle = True
            return
        self._asked = self._author.next_id()
        self._author.submit(work.claim(self._asked))

    def observe(self, effect: Effect) -> None:
        """Take in what became of an own transaction."""
        if not self._is_on:
            return
        number = effect.fields.get("id" if effect.kind == "rejected" else "claim")
        if number is None:
            return
        if number == self._asked:
            self._observe_asked(effect)

    def _observe_asked(self, effect: Effect) -> None:
        if effect.kind == "claim":
            self._is_granted = True
            self._world.measures.usage.begin_grant(self._author.id, self._now_s)
        elif effect.kind in ("beacon", "slot"):
            claim = self._world.ledger.claim(self._author.id, self._asked or 0)
            self._asked, self._is_granted = None, False
            if claim is not None:
                self._begin(claim)
            else:
                self._lose()
        elif effect.kind == "rejected":
            self._lose()

    def observe_round(self) -> None:
        """Give up a claim that is over, unless its result can still count; look for work if that is due."""
        if self._claim is not None:
            is_over = self._is_gone(self._claim.id) and not self._is_wanted(self._claim)
        else:
            is_over = self._is_granted and self._asked is not None and self._is_gone(self._asked)
        if is_over:
            self._lose()
        if self.is_idle:
            self._look_if_due()

    def _is_gone(self, number: int) -> bool:
        return self._world.ledger.claim(self._author.id, number) is None

    def _is_wanted(self, claim: Claim) -> bool:
        contest = self._world.ledger.contest(claim.candidate or b"")
        if contest is None or claim.slot is None or getattr(contest, "ripe", None) is not None:
            return False
        slot = contest.slots[claim.slot]
        return slot.claim == claim.key and slot.result is None

    def count_idle(self) -> None:
        """Count for how long a liar held the claim that ends now, or with the run."""
        if self._claim is not None and self._machine.character.holds:
            self._world.measures.leases.idle_s += self._now_s - self._begun_s

    def _lose(self) -> None:
        self.count_idle()
        if self._claim is not None:
            self._world.measures.usage.waste(self._author.id, self._now_s - self._begun_s)
        self._end_claim()
        self._choose()

    # Work.

    def _begin(self, claim: Claim) -> None:
        self._claim, self._begun_s = claim, self._now_s
        needed_s = seconds_of(self._world.ledger, claim, self._machine) / self._chance.uniform(*_PACE)
        lease_s = self._world.ledger.settings.timing.lease_s
        character, begun_s = self._machine.character, self._now_s
        if character.holds:
            self._renew(lambda: min(claim.amount, int((self._now_s - begun_s) // lease_s)), lease_s / 4)
        elif self._chance.random() < _HANG:
            hangs_after_s = self._chance.uniform(0.0, needed_s)
            self._timers = [self._world.timeline.after(hangs_after_s, partial(self._hang, claim))]
            self._renew(lambda: self._done(claim, begun_s, needed_s, self._now_s), lease_s / 4)
        else:
            self._timers = [self._world.timeline.after(needed_s, partial(self._finish, claim, needed_s))]
            if needed_s > lease_s / 4:
                self._renew(lambda: self._done(claim, begun_s, needed_s, self._now_s), lease_s / 4)

    def _hang(self, claim: Claim) -> None:
        """Do nothing any more, until the watchdog kills the worker."""
        usage = self._world.measures.usage
        usage.end_grant(self._author.id, self._now_s)
        usage.end_capable(self._author.id, self._now_s)
        self._world.measures.leases.watch(claim.key, self._now_s)
        for timer in self._timers:
            timer.cancel()
        self._timers = [self._world.timeline.after(SILENT_S, partial(self._give_up, claim))]

    def _give_up(self, claim: Claim) -> None:
        self._author.submit(t.Release(self._author.next_id(), claim.id, "no progress"))
        self._lose()

    def _done(self, claim: Claim, begun_s: float, needed_s: float, until_s: float) -> int:
        """Return how much of a claim is done, as the worker counts it."""
        return int(claim.amount * min(1.0, (until_s - begun_s) / needed_s))

    def _renew(self, done: Callable[[], int], pause_s: float) -> None:
        """Tell progress again and again."""

        def tell() -> None:
            if self._claim is not None:
                self._author.submit(t.Progress(self._author.next_id(), self._claim.id, done()))
                self._timers.append(self._world.timeline.after(pause_s, tell))

        self._timers.append(self._world.timeline.after(pause_s, tell))

    def _finish(self, claim: Claim, seconds: float) -> None:
        transactions = self._reports.make(claim)
        self._author.submit(*transactions)
        self._profile.observe(claim, seconds)
        self._end_claim()
        if claim.kind == "selfplay":
            self._choose()
        else:  # a match goes on, or begins: see it before something else is chosen
            self._asked = transactions[-1].id
            self._timers = [self._world.timeline.after(_SEEN_S, partial(self._see, self._asked))]

    def _see(self, number: int) -> None:
        """Choose once a report is in the order."""
        if self._asked != number:
            return
        if self._world.ledger.has_used(self._author.id, number):
            self._asked = None
            self._choose()
        else:
            self._timers = [self._world.timeline.after(_SEEN_S, partial(self._see, number))]

    def _end_claim(self) -> None:
        """Forget the claim, and whatever was to happen with it."""
        for timer in self._timers:
            timer.cancel()
        self._timers = []
        self._asked = self._claim = None
        self._is_granted = False
        usage = self._world.measures.usage
        usage.end_grant(self._author.id, self._now_s)
        if self._is_on and self._after_drain is None:
            usage.begin_capable(self._author.id, self._now_s)

    @property
    def _now_s(self) -> float:
        return self._world.timeline.now_s
