"""Where things lie in the checkout; also puts the checkout on the module path, for the `dev` package."""

import sys
from pathlib import Path

E2E = Path(__file__).resolve().parent.parent
ROOT = E2E.parent.parent
CACHE = ROOT / ".cache" / "e2e"
FIXTURES = ROOT / "filter" / "tests" / "fixtures"

if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))
