"""Rules about processors: the guest must find on the target what it was started with.

Under KVM the guest runs on the host's own processor, so vendor, family and every feature it was
given must be there. Under TCG the processor is emulated and any host will do.
"""

from packages.core.cpu_models import features_of_model
from packages.core.preflight_input import PreflightInput
from packages.core.problem import Problem, problem


def needs_kvm(asked: PreflightInput) -> bool:
    """A running guest keeps the accelerator it was booted with; `auto` takes what a node has."""
    if asked.running is not None:
        return asked.running.accel == "kvm"
    return asked.spec.vm.accel == "kvm"


def accelerator_missing(asked: PreflightInput) -> Problem | None:
    target = asked.target_facts
    if target is None or target.kvm_works or not needs_kvm(asked):
        return None
    return problem(
        "accelerator-missing", f"node:{asked.target}",
        what=f"{asked.target} cannot run {asked.spec.name} under KVM",
        because="its /dev/kvm is absent or its processor's virtualization is switched off",
        fix=f"enable VT-x or AMD-V in the firmware of {asked.target} and load the kvm module",
    )


def cpu_family_differs(asked: PreflightInput) -> Problem | None:
    source, target = asked.source_facts, asked.target_facts
    if source is None or target is None or not needs_kvm(asked):
        return None
    ours = (source.cpu_vendor, source.cpu_family)
    theirs = (target.cpu_vendor, target.cpu_family)
    if ours == theirs:
        return None
    return problem(
        "cpu-family-differs", f"node:{asked.target}",
        what=f"{asked.target} has another processor family than {source.name}",
        because=f"{source.name} has {ours[0]} family {ours[1]}, "
                f"{asked.target} has {theirs[0]} family {theirs[1]}",
        fix="choose a node with the same processor vendor and family",
    )


def cpu_feature_missing(asked: PreflightInput) -> Problem | None:
    missing = missing_features(asked)
    if not missing:
        return None
    return problem(
        "cpu-feature-missing", f"node:{asked.target}",
        what=f"{asked.target}'s processor lacks {', '.join(missing)}",
        because=f"the guest was started with cpu {asked.spec.vm.cpu}, which has them",
        fix="choose another node, or an older cpu model for the package and restart the guest",
    )


def missing_features(asked: PreflightInput) -> list[str]:
    """The model's features, as far as the source's processor had them to give, not on the target.

    A model nobody has a list for (`host`, `max`, a new one) counts as everything the source has.
    """
    source, target = asked.source_facts, asked.target_facts
    if source is None or target is None or not needs_kvm(asked):
        return []
    given = set(source.cpu_features)
    of_model = features_of_model(asked.spec.vm.cpu)
    if of_model is not None:
        given &= of_model
    return sorted(given - set(target.cpu_features))
