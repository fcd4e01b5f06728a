"""Every family's model behind `transformers serve`: answers over HTTP are those of `generate_answers`, or it is named here."""

import pytest

from helpers.data import load_chartqa
from helpers.evaluation import Served, ServedError, free_port, generate_answers, start_server
from helpers.models import load_model, load_processor
from tests.models.families import FAMILIES, build

pytestmark = pytest.mark.slow
NOT_SERVED: dict[str, str] = {}


@pytest.mark.parametrize("family", [make.__name__ for make in FAMILIES])
def test_a_familys_answers_are_the_same_over_http(family, tmp_path):
    folder = build(family, tmp_path / "model")
    rows = load_chartqa("embedded", "test", 6, seed=0)
    here = generate_answers(load_model(folder), load_processor(folder), rows, batch_size=1, max_new_tokens=6)
    assert any(here)
    command = ["transformers", "serve", "model", "--host", "127.0.0.1", "--port", str(free_port()), "--device", "cpu"]
    with start_server([*command, "--dtype", "float32"], tmp_path / "server.log", folder=tmp_path) as server:
        served = Served(server.url, "model", retries=0)
        if family in NOT_SERVED:
            with pytest.raises(ServedError):
                generate_answers(served, None, rows, max_new_tokens=6)
            assert NOT_SERVED[family] in server.log.read_text(), "another reason, or it can be served by now"
        else:
            assert generate_answers(served, None, rows, max_new_tokens=6) == here
