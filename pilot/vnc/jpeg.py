"""Pictures that come as JPEG, such as EC2 takes of an instance's screen: looked at before they are decoded.

What takes the picture is believed in nothing: its bytes, its size and how often it goes over the same pixels
have bounds, and decoding it has a deadline.
"""

from __future__ import annotations

import asyncio
import io
import threading
import warnings
from contextlib import suppress

import numpy as np

from pilot.errors import BackendError, BusyError, DeadlineError, PilotError
from pilot.vnc.framebuffer import MAX_HEIGHT, MAX_PIXELS, MAX_WIDTH, Framebuffer

MOST_BYTES = 16 * 1024 * 1024
MOST_SCANS = 100
"""A progressive picture goes over all its pixels for each scan: a few bytes would cost seconds."""
SECONDS = 10.0
_START, _SCAN = b"\xff\xd8", b"\xff\xda"
_ADVICE = "Take another picture."
_decoding = threading.Lock()


def decode(data: bytes) -> Framebuffer:
    """The picture.

    Raises:
        BackendError: it is none, is cut off or damaged, or larger than any screen is believed to be.
    """
    if len(data) > MOST_BYTES:
        raise BackendError(f"the picture has {len(data):,} bytes: {MOST_BYTES:,} are read at most", _ADVICE)
    if not data.startswith(_START):
        raise BackendError("what came as a picture is no JPEG", _ADVICE)
    if (scans := data.count(_SCAN)) > MOST_SCANS:
        raise BackendError(f"the picture has {scans} scans: {MOST_SCANS} are read at most", _ADVICE)
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            # What is large is refused below, in words; a warning would go to the terminal that is drawn on.
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
                width, height = image.size
                if not (0 < width <= MAX_WIDTH and 0 < height <= MAX_HEIGHT and width * height <= MAX_PIXELS):
                    raise BackendError(
                        f"the picture says that it has {width:,} by {height:,} pixels: no screen has", _ADVICE
                    )
                pixels = np.asarray(image.convert("RGB"))
    except UnidentifiedImageError:
        raise BackendError("what came as a picture is no JPEG that can be read", _ADVICE) from None
    except Image.DecompressionBombError:
        raise BackendError("the picture says that it is larger than any screen", _ADVICE) from None
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise BackendError(f"the picture is cut off or damaged: {error}", _ADVICE) from None
    screen = Framebuffer(width, height)
    screen.pixels[...] = pixels
    return screen


async def decoded(data: bytes, seconds: float = SECONDS) -> Framebuffer:
    """The picture, decoded in a thread of its own; one at a time.

    Raises:
        BackendError: as for `decode`.
        BusyError: the one before is still being decoded.
        DeadlineError: it takes too long. A thread cannot be ended: no other is decoded until it has.
    """
    if not _decoding.acquire(blocking=False):
        raise BusyError("the picture before is still being decoded", "Wait a moment.")
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Framebuffer] = loop.create_future()

    def settle(screen: Framebuffer | None, error: Exception | None) -> None:
        if answer.done():
            return
        if screen is not None:
            answer.set_result(screen)
        else:
            assert error is not None
            answer.set_exception(error)

    def work() -> None:
        screen, trouble = None, None
        try:
            screen = decode(data)
        except PilotError as error:
            trouble = error
        except Exception as error:  # What a decoder does with hostile bytes is not known to the last.
            trouble = BackendError(f"the picture cannot be read: {type(error).__name__}: {error}", _ADVICE)
        finally:
            _decoding.release()
        with suppress(RuntimeError):  # The loop has ended meanwhile.
            loop.call_soon_threadsafe(settle, screen, trouble)

    # Not in the loop's executor, which is waited for at the end.
    threading.Thread(target=work, name="jpeg", daemon=True).start()
    try:
        async with asyncio.timeout(seconds):
            return await answer
    except TimeoutError:
        raise DeadlineError(f"the picture was not decoded within {seconds:g} s", _ADVICE) from None
