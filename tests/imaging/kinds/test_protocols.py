"""Everyday protocols are told by their settings alone, and what people call them by their words alone."""

from dataclasses import replace

import pytest

from imaging.headers.header import Header
from imaging.kinds.classify import classify


def slices(
    te, tr, *sequence, ti=None, flip=90, dimensions="2D", train=None, count=12, repeats=1, thickness=4, **measured
):
    one = {
        "image_type": ("ORIGINAL", "PRIMARY", "M"), "orientation": (1.0, 0, 0, 0, 1.0, 0), "echo_time": te,
        "repetition_time": tr, "scanning_sequence": sequence or ("SE",), "inversion_time": ti, "flip_angle": flip,
        "acquisition_type": dimensions, "echo_train": train, "slice_thickness": thickness,
    } | measured  # fmt: skip
    return [Header(position=(0.0, 0.0, float(z * thickness)), **one) for _ in range(repeats) for z in range(count)]


def volume(te, tr, flip, thickness=1, **measured):
    return slices(te, tr, "GR", flip=flip, dimensions="3D", thickness=thickness, **measured)


SPOILED = {"sequence_variant": ("SP",)}
PROTOCOLS = {
    "T1 spin echo": slices(10, 600),
    "T1 inversion spin echo": slices(9, 2000, "SE", "IR", ti=860),
    "T1 in slices, in and out of phase": [h for te in (2.4, 4.8) for h in slices(te, 120, "GR", flip=70, **SPOILED)],
    "T1 in a few phases after an agent": volume(1.5, 4, 10, repeats=6, contrast_agent=True, **SPOILED),
    "T1 turbo field echo": volume(3.7, 8.1, 8, sequence_variant=("MP",)),
    "T1 space": slices(11, 700, dimensions="3D", train=42),
    "T2 turbo": slices(80, 3500, train=12),
    "T2 stir": slices(50, 4000, "SE", "IR", ti=160),
    "T2 single shot": slices(91, 1200, train=128),
    "T2 of fluid ducts": slices(700, 4500, train=256),
    "T2 propeller": slices(100, 6000, "RM", flip=160),
    "PD of a knee": slices(35, 3000, train=8),
    "PD space": slices(30, 1000, dimensions="3D", train=50),
    "FLAIR": slices(120, 9000, "IR", ti=2500),
    "T2* for blood": slices(20, 650, "GR", flip=20),
    "T2* echoes": [h for te in (5, 10, 15, 20, 25) for h in volume(te, 45, 15)],
    "SWI": volume(20, 28, 15),
    "DWI low": slices(80, 5000, "EP", "SE", b_value=50.0),
    "BOLD at low field": slices(50, 2500, "EP", repeats=200, count=3),
    "BOLD echoes": [h for te in (12, 28, 44) for h in slices(te, 2000, "EP", repeats=40, count=3)],
    "perfusion by bolus": slices(40, 1500, "EP", "GR", repeats=50, count=3, contrast_agent=True),
    "perfusion in volumes": volume(1.5, 4, 15, repeats=40, count=3, contrast_agent=True, **SPOILED),
    "fieldmap": [h for te in (4.92, 7.38) for h in slices(te, 600, "GR", flip=60)],
    "localizer in one plane": slices(3, 7, "GR", flip=20, thickness=8, count=3),
    "unknown, between PD and T2": slices(55, 3000, train=8),
    "unknown, balanced": volume(2.6, 5.9, 50, sequence_variant=("SS",)),
    "unknown, cine": slices(1.2, 3, "GR", flip=60, count=1, repeats=25, thickness=8),
    "unknown, spin-echo EPI": slices(100, 5000, "EP", "SE"),
}
NAMES = {
    "T1": ("t1_mprage_sag_p2_iso", "SAG T1 FLAIR", "LAVA FLEX post", "eTHRIVE", "AX BRAVO +C", "sT1W/TSE"),
    "T2": ("t2_tse_tra_fs", "COR STIR", "T2W_TSE_TRA", "Sag CUBE T2", "HASTE cor"),
    "T2*": ("Ax T2* GRE", "t2_fl2d_tra_hemo", "MEDIC tra"),
    "PD": ("pd_tse_fs_cor", "PDW_SPAIR"),
    "FLAIR": ("Ax T2 FLAIR FS", "t2_tirm_tra_dark-fluid"),
    "DWI": ("dDWI 3b", "DWI_b1000", "ep2d_diff_TRACEW"),
    "ADC": ("ep2d_diff_b1000_ADC",),
    "BOLD": ("rfMRI_REST1_LR", "task-nback_bold"),
    "SWI": ("SWI_Images",),
    "MRA": ("TOF_3D_multi-slab",),
    "perfusion": ("pcasl_3d", "ep2d_perf"),
    "derived": ("mIP_Images(SW)", "DTI_64dir_FA", "RELCBF"),
    "fieldmap": ("gre_field_mapping", "SpinEchoFieldMap_AP"),
    "localizer": ("AAHead_Scout", "3 PLANE LOC", "Survey"),
    "unknown": ("protocol", "interest", "different view", "CINE_SA"),
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_settings_tell_the_contrast(protocol):
    assert classify(PROTOCOLS[protocol]).contrast.value == protocol.split(",")[0].split()[0]


@pytest.mark.parametrize(
    ("contrast", "name"), [(contrast, name) for contrast, names in NAMES.items() for name in names]
)
def test_words_tell_the_contrast_where_nothing_else_does(contrast, name):
    found = classify([Header(series_description=name)]).contrast
    assert found.value == contrast
    assert found.confidence <= 0.7


@pytest.mark.parametrize(
    ("name", "agent", "fat"),
    [
        ("t1_tse_post_gd", "given", "unknown"),
        ("AX T1 +C FS", "given", "suppressed"),
        ("precontrast", "none", "unknown"),
        ("AX T1 W/O", "none", "unknown"),
        ("T2 no fs", "unknown", "none"),
        ("SPAIR T2", "unknown", "suppressed"),
    ],
)
def test_words_tell_agent_and_fat_suppression(name, agent, fat):
    found = classify([Header(series_description=name)])
    assert (found.contrast_agent.value, found.fat_suppression.value) == (agent, fat)


def test_no_misleading_name_makes_a_confident_error():
    wrong = []
    for protocol, headers in PROTOCOLS.items():
        right = protocol.split(",")[0].split()[0]
        if right == "unknown":
            continue
        for names in NAMES.values():
            named = [replace(header, series_description=names[0]) for header in headers]
            found = classify(named).contrast
            if found.value not in (right, "unknown") and found.confidence >= 0.8:
                wrong.append((protocol, names[0]))
    assert not wrong
