"""Where things lie in the checkout."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache"
DIST = ROOT / "dist"
ENVOY_CONFIGS = ROOT / "envoy"
JAR_LISTS = ROOT / "dev" / "jars"
