"""The answers to POST requests: what a person on this machine can make the node do.

Reading is open to whoever can connect. Acting needs the token from the node's data folder, in a file that only the
node's user can read, so another user of the machine cannot act. Neither can a page in the user's browser: it does not
have the token, and browsers say where a request comes from, which the commands of `ringrift-node` do not.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

import structlog

from node.api.drains import DrainInfo
from node.api.nominations import NominationInfo
from node.api.proposals import ProposalInfo
from node.membership.governance import GovernanceError
from node.web.guard import NotAnObject, comes_from_a_page, json_object, refuse
from node.web.routes import Answer, error_answer, json_answer
from node.web.targets import parse_target

_log = structlog.get_logger(__name__)


class Actions(Protocol):
    """What a person can make the node do."""

    async def propose(self, request: Mapping[str, Any]) -> ProposalInfo:
        """Propose a change; `request` is to be a `ProposeRequest`. Raise GovernanceError."""
        ...

    async def vote(self, beginning: str, *, approve: bool) -> ProposalInfo:
        """Vote on the open proposal whose id begins so. Raise GovernanceError."""
        ...

    async def nominate(self, beginning: str, configuration: str | None) -> NominationInfo:
        """Nominate the earlier model whose digest begins so. Raise GovernanceError."""
        ...

    async def import_model(self, request: Mapping[str, Any]) -> NominationInfo:
        """Nominate a model from elsewhere; `request` is to be an `ImportRequest`. Raise GovernanceError."""
        ...

    async def drain(self) -> DrainInfo:
        """End the node's work, and then the node."""
        ...


class Control:
    """Checks POST requests and carries them out."""

    def __init__(self, actions: Actions, token: str, host: str) -> None:
        """Accept requests with `token` whose Host header is a loopback name, or `host`, where the server listens."""
        self._actions = actions
        self._token = token
        self._host = host
        self._paths: dict[str, Callable[[Mapping[str, Any]], Awaitable[ProposalInfo | NominationInfo | DrainInfo]]] = {
            "/propose": actions.propose, "/vote": self._vote, "/nominate": self._nominate,
            "/import": actions.import_model, "/drain": self._drain,
        }  # fmt: skip

    async def answer(self, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer one request; never raise. The names of `headers` are in lower case."""
        asked = parse_target(target, headers.get("host", ""))
        refusal = self._refusal(asked.host, headers)
        if refusal is not None:
            return refusal
        act = self._paths.get(asked.path)
        if act is None:
            return error_answer(404, f"there is nothing to do at {asked.path}; try {' or '.join(self._paths)}")
        try:
            return json_answer(await act(json_object(body)))
        except NotAnObject as error:
            return error_answer(400, str(error))
        except GovernanceError as error:
            return error_answer(error.status, str(error))
        except Exception as error:
            _log.error("action failed", target=target, exc_info=error)
            return error_answer(500, "the node failed to do this; its log says why")

    def acts_at(self, target: str) -> bool:
        """Return whether there is something to do at the path of a request."""
        return parse_target(target).path in self._paths

    def _refusal(self, host: str, headers: Mapping[str, str]) -> Answer | None:
        fault = "this node does not act for web pages; use the command ringrift-node"
        return refuse(
            headers,
            host,
            bound=self._host,
            tokens=(self._token,),
            page_fault=fault if comes_from_a_page(headers) else "",
        )

    async def _vote(self, request: Mapping[str, Any]) -> ProposalInfo:
        beginning, approve = request.get("proposal"), request.get("approve")
        if not isinstance(beginning, str) or not isinstance(approve, bool):
            raise GovernanceError(400, "a vote needs proposal, a text, and approve, which is true or false")
        return await self._actions.vote(beginning, approve=approve)

    async def _drain(self, _request: Mapping[str, Any]) -> DrainInfo:
        return await self._actions.drain()

    async def _nominate(self, request: Mapping[str, Any]) -> NominationInfo:
        beginning, configuration = request.get("model"), request.get("configuration")
        if not isinstance(beginning, str) or not (configuration is None or isinstance(configuration, str)):
            raise GovernanceError(400, "a nomination needs model, a text; configuration, if it is there, is one too")
        return await self._actions.nominate(beginning, configuration)
