"""Makes readable run ids such as ``bold-falcon-k3x``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["candidates"]

_ADJECTIVES: Final = """
able adept agile agreeable airy alert alpine amber ample apt arctic ardent astral autumn azure balmy blithe bold brave
breezy bright brisk bronze buoyant calm candid canny cheery chief chilly chipper civic civil clean clear clever close
cloudy cobalt coral cordial cosmic cosy crisp crystal curious dainty dapper daring dawn deep deft dewy direct dusky
eager early earnest easy elder elegant ember even exact fair famous fancy fast festive fine firm fleet floral flowing
fluent flying focal fond formal frank free fresh frosty full gallant game genial gentle giant gilded glad gleaming
global golden good graceful grand grassy green happy hardy hazel hearty helpful hidden honest humble icy ideal indigo
inner ivory jade jaunty jolly jovial joyful keen kind lasting late lean light lilac limber lively local lofty loyal
lucid lucky lunar lush magic main major maple marble mellow merry mighty mild mindful mint misty modest mossy native
navy near neat nimble noble north novel oaken ocean olive onyx opal open orange outer patient pearl placid plain plucky
poised polar polite prime proper proud pure quick quiet rapid rare ready regal rich robust rosy round royal ruby rustic
sandy scarlet scenic serene sharp shiny silent silken silver simple sincere sleek smart smooth snowy snug social solar
solid sonic south spare spirited spry stable stately steady stellar still stoic stout strong sturdy subtle sunny super
sure swift tall tame tender thrifty tidal tidy timely topaz tranquil true trusty upbeat urban useful valiant vast velvet
verdant vibrant vital vivid warm wary west whole wild willing windy winter wise witty woody young zesty zippy
"""
_NOUNS: Final = """
acorn albatross alder alpaca anchor antelope apple arch aspen aster atlas aurora avocet badger bamboo basin bay beacon
beaver bee beech birch bison bluff boulder bramble branch breeze bridge brook canary canyon cape caribou castle cedar
cherry cliff cloud clover coast cobra comet condor coral cove coyote crane creek crest cricket crow cypress daisy dale
deer delta desert dingo dolphin dove dragon dune eagle echo egret elk elm ember falcon fern field finch fir fjord
flame flint forest fox frog galaxy garden garnet gazelle geyser ginkgo glacier glade goose gorge grouse grove gull
harbor hare hawk hawthorn hazel heath heron hickory hill holly horizon ibex ibis inlet iris island ivy jackal jaguar
jasmine jay juniper kelp kestrel kingfisher kite koala lagoon lake larch lark laurel leaf lemur leopard lichen lily
linden lion llama lotus lynx magnolia magpie mallard mango maple marlin marmot marsh marten meadow mesa meteor mink
moon moose moss moth mountain mulberry narwhal nebula newt nightjar oak oasis ocean ocelot olive orbit orca orchard
orchid oriole osprey otter owl oyster palm panda panther parrot peak pebble pelican penguin peony petrel pheasant pine
planet plateau plover pond poplar poppy prairie puffin puma quail quartz quasar rabbit raven redwood reef ridge river
robin rose rowan sable salmon sandpiper sapling savanna seal sequoia shore shrew sparrow spring spruce squirrel star
stork stream summit sun swallow swan swift sycamore tapir teal tern thicket thistle thrush tide tiger toucan trail
trout tulip tundra turtle valley viper vole volcano walnut walrus warbler waterfall wave weasel whale willow wolf
wombat wren yak yew zebra zephyr
"""
# No vowels: no suffix spells a word. No digits that look like letters.
_SUFFIX_LETTERS: Final = "bcdfghjkmnpqrstvwxz23456789"
_FIRST_SUFFIX_LENGTH: Final = 3
_LONGEST_SUFFIX_LENGTH: Final = 12


def candidates() -> Iterator[str]:
    """Ids for a new run, longer and longer, without end: take the first that is free.

    They come from the operating system's random numbers, so that a training's seeds neither decide nor notice them.
    """
    adjectives, nouns = _ADJECTIVES.split(), _NOUNS.split()
    length = _FIRST_SUFFIX_LENGTH
    while True:
        number = int.from_bytes(os.urandom(16), "little")
        number, adjective = divmod(number, len(adjectives))
        number, noun = divmod(number, len(nouns))
        suffix = ""
        for _ in range(length):
            number, letter = divmod(number, len(_SUFFIX_LETTERS))
            suffix += _SUFFIX_LETTERS[letter]
        yield f"{adjectives[adjective]}-{nouns[noun]}-{suffix}"
        length = min(length + 1, _LONGEST_SUFFIX_LENGTH)
