"""Which package names which disk, made once for any number of questions. PURE.

A thousand packages that each look through the disks of the thousand others are a million looks, for
which nobody who must not wait has the time.
"""

from collections import defaultdict
from collections.abc import Iterable

from packages.core.wwid import forms


class DiskClaims:
    """Of (path or identity, package)."""

    def __init__(self, claims: Iterable[tuple[str, str]]) -> None:
        self._by_key: dict[str, dict[str, str]] = defaultdict(dict)
        self._by_form: dict[tuple[int, str], dict[str, str]] = defaultdict(dict)
        for key, package in claims:
            self._by_key[key][package] = key
            if key.strip():
                for form in enumerate(forms(key)):
                    self._by_form[form][package] = key

    def of_others(self, path: str, identity: str, *, package: str) -> dict[str, str]:
        """What other packages name this disk by, with the least of those that do."""
        found = dict(self._by_key.get(path, {}))
        if identity.strip():
            for form in enumerate(forms(identity)):
                found |= self._by_form.get(form, {})
        return {key: name for name, key in sorted(found.items(), reverse=True) if name != package}
