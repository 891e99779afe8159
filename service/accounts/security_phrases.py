"""Security phrases: shown by the app and printed in the mail, so that a reader sees that the two belong together."""

import secrets

_FIRST = tuple(
    """
    Amber Brave Bright Calm Clear Clever Cosy Crisp Eager Early Fair Fancy Fresh Gentle Giant Golden
    Grand Green Happy Honest Humble Jolly Kind Lively Loyal Lucky Mellow Merry Mighty Misty Modest
    Noble Patient Plain Polite Proud Quick Quiet Rapid Ready Rosy Royal Rustic Silent Silver Simple
    Smooth Snowy Solar Solid Steady Sunny Swift Tender Tidy Tiny Vivid Warm Wild Windy Wise Witty
    Young Zesty
    """.split()  # noqa: SIM905 - a list of words is read as words
)
_SECOND = tuple(
    """
    Acorn Anchor Badger Bamboo Beacon Birch Bridge Candle Canyon Castle Cedar Cloud Comet Compass
    Coral Cricket Daisy Dolphin Falcon Feather Fern Forest Fox Garden Harbor Hazel Heron Island Ivy
    Juniper Kettle Lantern Lark Lemon Lily Maple Marble Meadow Meteor Mill Moon Nettle Oak Ocean
    Orchid Otter Owl Pebble Pine Planet Poppy Raven Reef River Robin Sparrow Spruce Stone Swan
    Thistle Tulip Valley Walnut Willow
    """.split()  # noqa: SIM905 - a list of words is read as words
)


def generate() -> str:
    """Choose two words, of 4,096 pairs: they are compared by eye and guard nothing by themselves."""
    return f"{secrets.choice(_FIRST)} {secrets.choice(_SECOND)}"
