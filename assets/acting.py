"""What an asset or a check needs of the zones, declared with it, and asked of whoever its run acts for.

Belongs here: the declaration and the asking, before the work. What roles say is `lineage.terms.roles`; whether terms
allow the work is asked by the work itself.
"""

import functools
import inspect
from collections.abc import Callable, Iterator
from typing import TypeVar

from assets.resources import LakeResource
from schemas.roles import Needs

Work = TypeVar("Work", bound=Callable[..., object])


def acting(needs: Needs) -> Callable[[Work], Work]:
    """Make a step ask the roles, where the installation has some, for the zones that it reads or changes.

    Args:
        needs: these zones; they stay readable as `needs` of the function.
    """

    def declared(work: Work) -> Work:
        signature = inspect.signature(work)

        def asked(*arguments: object, **named: object) -> None:
            from lineage.terms.asking import enter  # deltalake stays out of the definitions' import path

            lake = signature.bind(*arguments, **named).arguments["lake"]
            assert isinstance(lake, LakeResource), "every step that acts in a zone takes the lake"
            enter(lake.open(), work.__name__, needs)

        @functools.wraps(work)
        def whole(*arguments: object, **named: object) -> object:
            asked(*arguments, **named)
            return work(*arguments, **named)

        @functools.wraps(work)
        def piecewise(*arguments: object, **named: object) -> Iterator[object]:
            asked(*arguments, **named)
            yield from work(*arguments, **named)  # type: ignore[misc]  # a generator function, as was asked

        made = piecewise if inspect.isgeneratorfunction(work) else whole
        vars(made)["needs"] = needs
        return made  # type: ignore[return-value]

    return declared
