"""Which features of the host's processor a named CPU model passes on to the guest.

After QEMU's own model definitions (docs/system/cpu-models-x86.rst, target/i386/cpu.c; held against
the QEMU there is by tests/live/test_cpu_models_live.py), in the names of /proc/cpuinfo. Only
features that differ between hosts matter here, and only those the source's processor has: QEMU
leaves out what the host lacks. A model without a row is for the
caller to take as "everything the host has"; never may a feature be missed because a row is.
"""

import re

_X86_64 = frozenset("""
    fpu de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2
    syscall nx lm
""".split())
_NEHALEM = _X86_64 | frozenset("pni cx16 ssse3 sse4_1 sse4_2 popcnt lahf_lm".split())
_WESTMERE = _NEHALEM | frozenset("aes pclmulqdq arat".split())
_SANDY_BRIDGE = _WESTMERE | frozenset(
    "avx xsave xsaveopt rdtscp tsc_deadline_timer x2apic".split()
)
_IVY_BRIDGE = _SANDY_BRIDGE | frozenset("f16c rdrand fsgsbase smep erms".split())
_HASWELL = _IVY_BRIDGE | frozenset(
    "avx2 bmi1 bmi2 fma movbe invpcid pcid abm hle rtm".split()
)
_BROADWELL = _HASWELL | frozenset("adx rdseed smap 3dnowprefetch".split())
_SKYLAKE_CLIENT = _BROADWELL | frozenset("xsavec xgetbv1 xsaves mpx".split())
_SKYLAKE_SERVER = _SKYLAKE_CLIENT | frozenset(
    "avx512f avx512dq avx512bw avx512cd avx512vl clwb clflushopt pdpe1gb pku".split()
)
_CASCADE_LAKE = _SKYLAKE_SERVER | frozenset("avx512_vnni arch_capabilities ibrs ssbd".split())
_ICE_LAKE = _CASCADE_LAKE | frozenset("""
    avx512vbmi avx512_vbmi2 gfni vaes vpclmulqdq avx512_bitalg avx512_vpopcntdq rdpid umip
    wbnoinvd sha_ni fsrm la57 avx512ifma
""".split())
_SAPPHIRE_RAPIDS = _ICE_LAKE | frozenset("""
    avx_vnni avx512_bf16 avx512_fp16 amx_bf16 amx_tile amx_int8 serialize bus_lock_detect
    tsxldtrk xfd fzrm fsrs fsrc
""".split())
_NESTED_AMD = frozenset("svm npt nrip_save svme_addr_chk".split())
_EPYC = _NEHALEM | _NESTED_AMD | frozenset("""
    aes pclmulqdq arat avx xsave xsaveopt xsavec xgetbv1 rdtscp f16c rdrand fsgsbase smep smap
    avx2 bmi1 bmi2 fma movbe abm adx rdseed 3dnowprefetch sse4a misalignsse osvw cr8_legacy topoext
    sha_ni clflushopt pdpe1gb fxsr_opt mmxext perfctr_core ibpb xsaves clzero xsaveerptr
""".split())
_EPYC_ROME = _EPYC | frozenset("clwb rdpid umip wbnoinvd stibp ibrs ssbd".split())
_EPYC_MILAN = _EPYC_ROME | frozenset(
    "pcid invpcid erms fsrm pku vaes vpclmulqdq".split()
)
_EPYC_GENOA = _EPYC_MILAN | frozenset("""
    avx512f avx512dq avx512bw avx512cd avx512vl avx512ifma avx512vbmi avx512_vbmi2 avx512_vnni
    avx512_bf16 avx512_bitalg avx512_vpopcntdq gfni la57 amd_psfd autoibrs lfence_rdtsc
    no_nested_data_bp null_sel_clr_base stibp_always_on vnmi
""".split())

MODELS: dict[str, frozenset[str]] = {
    "qemu64": _X86_64 | {"pni", "cx16", "lahf_lm", "svm"},
    "kvm64": _X86_64 | {"pni", "cx16"},
    "Nehalem": _NEHALEM,
    "Westmere": _WESTMERE,
    "SandyBridge": _SANDY_BRIDGE,
    "IvyBridge": _IVY_BRIDGE,
    "Haswell": _HASWELL,
    "Broadwell": _BROADWELL,
    "Skylake-Client": _SKYLAKE_CLIENT,
    "Skylake-Server": _SKYLAKE_SERVER,
    "Cascadelake-Server": _CASCADE_LAKE,
    "Icelake-Server": _ICE_LAKE,
    "SapphireRapids": _SAPPHIRE_RAPIDS,
    "EPYC": _EPYC,
    "EPYC-Rome": _EPYC_ROME,
    "EPYC-Milan": _EPYC_MILAN,
    "EPYC-Genoa": _EPYC_GENOA,
}

# The versions and variants of one model differ in mitigations and in features they leave out;
# the full row is asked for, so a variant is never judged too leniently.
_VARIANT = re.compile(r"(-noTSX|-IBRS|-IBPB|-v\d+)+$")

# Where QEMU's spelling is not /proc/cpuinfo's with other punctuation.
_SPELLINGS = {
    "sse3": "pni", "lzcnt": "abm", "pclmuldq": "pclmulqdq", "tsc_deadline": "tsc_deadline_timer",
    "avx512vnni": "avx512_vnni", "avx512bitalg": "avx512_bitalg", "avx512vbmi2": "avx512_vbmi2",
    "i64": "lm", "sha": "sha_ni", "cr8legacy": "cr8_legacy", "amd_ssbd": "ssbd",
    "amd_stibp": "stibp", "spec_ctrl": "ibrs", "tsx_ldtrk": "tsxldtrk", "auto_ibrs": "autoibrs",
    "lfence_always_serializing": "lfence_rdtsc",
}


def features_of_model(cpu: str) -> frozenset[str] | None:
    """The features of a QEMU `-cpu` value such as `Haswell-noTSX,+aes,pcid=off`, in the names of
    /proc/cpuinfo; None when the model passes on an unknown part of the host's."""
    model, *settings = cpu.split(",")
    base = MODELS.get(_VARIANT.sub("", model))
    if base is None:
        return None
    added = {"ibrs"} if "-IBRS" in model else set()
    removed: set[str] = set()
    for setting in settings:
        feature, wanted = _setting(setting)
        (added if wanted else removed).add(feature)
    return (base | added) - removed


def _setting(text: str) -> tuple[str, bool]:
    if text[:1] in ("+", "-"):
        return cpuinfo_name(text[1:]), text[0] == "+"
    name, _, value = text.partition("=")
    return cpuinfo_name(name), value not in ("off", "false")


def cpuinfo_name(feature: str) -> str:
    spelled = feature.replace("-", "_").replace(".", "_")
    return _SPELLINGS.get(spelled, spelled)
