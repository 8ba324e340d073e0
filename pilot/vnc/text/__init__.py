"""Text from the pixels of a VM's screen: what BIOS, boot loader and console show, as characters."""

from pilot.vnc.text.decode import Decoder
from pilot.vnc.text.fonts import Fonts
from pilot.vnc.text.renderer import TextRenderer
from pilot.vnc.text.screen import TextScreen

__all__ = ["Decoder", "Fonts", "TextRenderer", "TextScreen"]
