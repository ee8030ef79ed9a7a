"""A second, slow implementation of importing for comparison: plain Python, row by row, without a database.

It does not import `cdp_sync.importing` or `cdp_sync.warehouse`; it shares the declarations in `cdp_sync.model`. Read in
this order: `reading`, `converting`, `linking`, `consenting`, `importing`.
"""

from cdp_sync_tests.oracle.canonical import canonical, text_form
from cdp_sync_tests.oracle.importing import Outcome, State, import_files
from cdp_sync_tests.oracle.row import Entry

__all__ = ["Entry", "Outcome", "State", "canonical", "import_files", "text_form"]
