"""Figures of messages, campaigns, orders and profiles over a timeframe. They read the warehouse, and store nothing."""

from cdp_sync.analytics.chart import bar_chart
from cdp_sync.analytics.figures import Figures
from cdp_sync.analytics.timeframe import Timeframe, first_day, last_days
from cdp_sync.analytics.views import VIEWS, view_campaign, view_figures

__all__ = ["VIEWS", "Figures", "Timeframe", "bar_chart", "first_day", "last_days", "view_campaign", "view_figures"]
