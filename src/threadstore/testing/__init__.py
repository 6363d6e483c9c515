"""What proves a history, a view or a log right: shipped, so that others can test theirs. Its rooms are imported one by one."""

from threadstore.testing.contract import check_event_log

__all__ = ["check_event_log"]
