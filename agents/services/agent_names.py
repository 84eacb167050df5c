"""Names of agents: which are allowed, and one for an agent that was given none."""

import random
import re

from letta_site.core.errors import Invalid

MAX_NAME_CHARS = 200

_ALLOWED = re.compile(r"[\w\s\-']+\Z")
_ADJECTIVES = (
    "Amber Ample Arctic Azure Balanced Bold Breezy Bright Brisk Calm Candid Cheerful Clever "
    "Coastal Copper Coral Cosmic Crisp Daring Dapper Eager Early Earnest Elastic Emerald "
    "Fabled Fearless Floral Fluent Gentle Gilded Glad Golden Graceful Hardy Hazel Honest "
    "Humble Indigo Ivory Jolly Keen Kind Lively Loyal Lucid Lunar Marble Mellow Merry Mindful "
    "Misty Modest Nimble Noble Opal Patient Pearly Playful Polar Prime Proud Quick Quiet "
    "Radiant Rapid Ready Rosy Rustic Sage Scarlet Serene Silver Sincere Snowy Solar Steady "
    "Stellar Sunny Swift Tidy Tranquil Velvet Vivid Warm Wise Witty Woven Young Zesty"
).split()
_NOUNS = (
    "Acorn Anchor Apricot Badger Bamboo Beacon Birch Bobcat Brook Canyon Cedar Cello Clover "
    "Comet Compass Condor Coyote Crane Cypress Dahlia Delta Dolphin Dune Eagle Ember Falcon "
    "Fennel Fern Finch Fjord Fox Garnet Gecko Ginger Glacier Harbor Heron Hickory Ibis Iris "
    "Island Jasmine Jay Juniper Kestrel Kiwi Lagoon Lantern Lark Lemur Lichen Lotus Lynx "
    "Magnolia Maple Marlin Meadow Mesa Moose Nectar Nutmeg Oak Orchid Osprey Otter Owl Papaya "
    "Pebble Pelican Pepper Pine Plover Poppy Prairie Quail Quartz Raven Reef River Robin "
    "Saffron Sparrow Spruce Summit Swan Thistle Tiger Tulip Valley Walnut Willow Wren Yarrow "
    "Zebra"
).split()


def random_name() -> str:
    """Return an adjective and a noun as one word."""
    return random.choice(_ADJECTIVES) + random.choice(_NOUNS)


def check_name(name: str) -> str:
    """Return a usable name unchanged. Raises Invalid.

    A name may become part of a file name when the agent is exported.
    """
    if not name.strip():
        raise Invalid("The name is empty.", todo="Leave it out to get one made up.")
    if len(name) > MAX_NAME_CHARS:
        raise Invalid(f"The name has {len(name)} characters; it may have {MAX_NAME_CHARS}.")
    if not _ALLOWED.match(name):
        raise Invalid(
            f"Agent name {name!r} contains invalid characters. Letters of any script, digits, "
            "spaces, hyphens, underscores and apostrophes are allowed."
        )
    return name
