"""How examples are drawn: fresh ones in every run, and however slow the machine is.

One that fails is printed with the line that draws it again (`@reproduce_failure`), and becomes an
`@example` of its test. Nothing is kept between runs: what a machine remembers, another lacks.
"""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "fresh", derandomize=False, database=None, print_blob=True, deadline=None,
    suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("fresh")
