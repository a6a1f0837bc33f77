"""The only place that configures logging: to standard error, never to standard output."""

import logging
import sys

import structlog


def configure(level: str, *, as_json: bool) -> None:
    """Sends structlog's and the standard library's records to standard error.

    Args:
        level: ``debug``, ``info``, ``warning`` or ``error``: what is below it is dropped.
        as_json: One JSON object a line, for machines; else a line for a person.
    """
    number = logging.getLevelNamesMapping()[level.upper()]
    logging.basicConfig(level=max(number, logging.WARNING), stream=sys.stderr, force=True)
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if as_json
        else structlog.dev.ConsoleRenderer(colors=False)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
