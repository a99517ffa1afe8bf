"""What an engine inspector tells, counted."""

import json

from edge_daemon.plans.layers import read_layers


def test_layers_are_counted_by_kind_and_by_what_they_give() -> None:
    told = {
        "Layers": [
            {"LayerType": "CaskConvolution", "Outputs": [{"Format/Datatype": "Half NHWC8"}]},
            {"LayerType": "CaskConvolution", "Outputs": [{"Format/Datatype": "Half NHWC8"}]},
            {"LayerType": "Reduce", "Outputs": [{"Format/Datatype": "Int32"}]},
        ]
    }
    assert read_layers(json.dumps(told)) == {
        "CaskConvolution": {"Half NHWC8": 2},
        "Reduce": {"Int32": 1},
    }


def test_a_plan_that_tells_names_only_counts_as_nothing() -> None:
    assert read_layers('{"Layers": ["convolution_1", "convolution_2"]}') == {}
    assert read_layers("{}") == {}
