"""A model behind an address: what is sent, and what a missing server, a wrong name or a 500 in the middle come to."""

import base64
import io
import time

import pytest
from PIL import Image, ImageChops

from helpers.evaluation import Served, ServedError, evaluate_folder, generate_answers
from helpers.models import FULL_SENTENCE, SHORT_ANSWER
from tests.evaluation.fake_server import FakeServer, completion, picture, question


@pytest.fixture
def rows():
    drawn = [Image.new("RGB", (6 + at % 3, 5), (at, 2 * at, 255 - at)) for at in range(100)]
    return [{"image": image, "query": f"question {at}"} for at, image in enumerate(drawn)]


@pytest.fixture
def fake():
    """Starts a server that replies as it is told, and stops all of them afterwards."""
    started = []

    def start(reply=lambda number, body: question(body).upper()):
        started.append(FakeServer(reply))
        return started[-1]

    yield start
    for server in started:
        server.stop()


def ask(served, rows, **how):
    return generate_answers(served, None, rows, **how)


def test_answers_come_stripped_and_in_order_and_the_request_is_as_the_model_was_trained(fake, rows):
    server = fake(lambda number, body: f" {question(body)}\n")
    assert ask(Served(server.url, "mine"), rows[:5]) == [f"question {at}" for at in range(5)]
    assert set(server.paths) == {"/v1/chat/completions"}
    body = server.asked[3]
    assert (body["model"], body["temperature"], body["max_tokens"]) == ("mine", 0, 16)
    assert body["messages"][0] == {"role": "system", "content": SHORT_ANSWER}
    assert [part["type"] for part in body["messages"][1]["content"]] == ["image_url", "text"]
    kind, _, data = picture(body).partition(",")
    assert kind == "data:image/png;base64"
    sent = Image.open(io.BytesIO(base64.b64decode(data)))
    assert ImageChops.difference(sent, rows[3]["image"]).getbbox() is None, "a pixel changed on the way"


@pytest.mark.parametrize(
    ("own", "asked", "sent"),
    [
        (SHORT_ANSWER, {}, SHORT_ANSWER),
        (None, {}, None),
        ("", {}, ""),
        ("Own.", {}, "Own."),
        ("Own.", {"system": FULL_SENTENCE}, FULL_SENTENCE),
    ],
)
def test_the_instruction_is_the_addresss_own_unless_a_call_names_another(fake, rows, own, asked, sent):
    server = fake()
    ask(Served(server.url, system=own), rows[:1], **asked)
    system = [turn["content"] for turn in server.asked[0]["messages"] if turn["role"] == "system"]
    assert system == [sent] * (sent is not None)


def test_other_lengths_empty_answers_and_a_path_of_its_own(fake, rows):
    server = fake(lambda number, body: "")
    assert ask(Served(server.url + "/openai/v1/"), rows[:1], max_new_tokens=5) == [""]
    assert server.paths == ["/openai/v1/chat/completions"]
    assert server.asked[0]["max_tokens"] == 5
    assert "model" not in server.asked[0]


def test_several_are_under_way_at_once_and_come_back_in_order(fake, rows):
    def slowly(number, body):
        time.sleep(0.2)
        return question(body)

    server = fake(slowly)
    began = time.perf_counter()
    assert ask(Served(server.url, at_once=8), rows[:8]) == [row["query"] for row in rows[:8]]
    assert time.perf_counter() - began < 8 * 0.2


def one_line(error) -> str:
    said = str(error.value)
    assert "\n" not in said
    assert len(said) < 500
    return said


def test_without_a_server_it_is_said_at_once(rows):
    with pytest.raises(ServedError, match=r"127.0.0.1:9/v1: row 0: nothing answers .*refused.* start the server") as error:
        ask(Served("http://127.0.0.1:9", retries=0), rows)
    assert "0 of 100 were answered" in one_line(error)
    assert error.value.gave_up


def test_what_is_no_address_is_refused_before_anything_is_asked():
    for wrong in ("127.0.0.1:8000", "embedded", "ftp://x/y", "http://", "http://x:y", "http://[::1", "http://my host"):
        with pytest.raises(ValueError, match="is no address: it is http://host:port"):
            Served(wrong)


@pytest.mark.parametrize("end", ["", "/", "/v1", "/v1/chat/completions", "/v1/chat/completions/"])
def test_an_address_is_taken_as_it_is_found(fake, rows, end):
    server = fake()
    ask(Served(f" {server.url}{end}\n"), rows[:1])
    assert server.paths == ["/v1/chat/completions"]


def test_a_question_mark_in_an_address_is_refused_and_what_follows_not_shown():
    with pytest.raises(ValueError, match=r"https://host/v1' goes on with \? or #, .* give it without that part") as error:
        Served("https://host/v1?key=planted")
    assert "planted" not in str(error.value)


def test_a_password_in_the_address_is_sent_and_never_shown(fake, rows, caplog):
    caplog.set_level("DEBUG")
    server = fake(lambda number, body: (400, {"error": "pl@nted is wrong"}) if number else question(body))
    served = Served(server.url.replace("//", "//me:pl%40nted@"))
    with pytest.raises(ServedError, match=r"\*\*\* is wrong") as error:
        ask(served, rows[:2])
    assert base64.b64decode(server.headers[0]["authorization"].removeprefix("Basic ")) == b"me:pl@nted"
    shown = str(error.value) + repr(served) + caplog.text
    for wrong in ("http://me:pl@nted@host:x", "ftp://me:pl@nted@host", "me:pl@nted@host"):
        with pytest.raises(ValueError, match="is no address") as error:
            Served(wrong)
        shown += str(error.value)
    refused = fake(lambda number, body: (401, {"error": "pl@nted"}))
    with pytest.raises(ServedError, match="HTTP 401: the login in the address was refused") as error:
        ask(Served(refused.url.replace("//", "//me:pl%40nted@")), rows)
    shown += str(error.value)
    with pytest.raises(ServedError, match="nothing answers") as error:
        ask(Served("http://me:pl%40nted@127.0.0.1:9", retries=0), rows)
    shown += str(error.value)
    assert "nted" not in shown


def test_a_wrong_model_name_is_the_servers_own_words_and_is_given_up_after_three(fake, rows):
    server = fake(lambda number, body: (400, {"detail": "Server is pinned to 'merged';\n requested 'mergd'."}))
    with pytest.raises(
        ServedError, match=r"row 0 \(and rows 1, 2\): HTTP 400: Server is pinned to 'merged'; requested"
    ) as error:
        ask(Served(server.url, "mergd"), rows)
    assert one_line(error)
    assert len(server.asked) == 3


def test_a_500_in_the_middle_holds_up_nobody_and_the_same_call_asks_only_for_the_rest(fake, rows):
    broken = True

    def reply(number, body):
        return (500, {"error": {"message": "out of memory"}}) if broken and question(body) == "question 50" else question(body)

    server = fake(reply)
    served = Served(server.url, retries=1)
    with pytest.raises(ServedError, match=r"row 50: HTTP 500: out of memory; 99 of 100 were answered and are kept") as error:
        ask(served, rows)
    assert one_line(error)
    assert error.value.rows.keys() == {50}
    assert not error.value.gave_up
    assert [at for at, answer in enumerate(error.value.answers) if answer is None] == [50]
    assert len(server.asked) == 101, "the client itself asked once more"
    broken = False
    assert ask(served, rows) == [row["query"] for row in rows]
    assert len(server.asked) == 102
    ask(served, rows[:3])
    assert len(server.asked) == 105, "nothing is kept once a call has gone through"


def test_what_was_answered_before_the_server_died_is_kept(fake, rows):
    server = fake()
    served = Served(server.url, retries=0)
    real = server.server.get_request

    def dies_after_40():
        if len(server.asked) >= 40:
            server.server.socket.close()
        return real()

    server.server.get_request = dies_after_40
    with pytest.raises(ServedError, match=r"row 4\d: nothing answers") as error:
        ask(served, rows)
    assert one_line(error)
    assert sum(answer is not None for answer in error.value.answers) >= 40
    revived = fake()
    served.url = revived.url + "/v1"
    assert ask(served, rows) == [row["query"].upper() for row in rows]
    assert len(revived.asked) <= 60


def test_a_time_out_names_its_row(fake, rows):
    slow = True
    server = fake(lambda number, body: time.sleep(1.0) if slow and question(body) == "question 2" else question(body))
    served = Served(server.url, timeout=0.3, retries=0)
    with pytest.raises(ServedError, match=r"row 2: no answer within 0.3 s; 3 of 4 were answered") as error:
        ask(served, rows[:4])
    assert one_line(error)
    assert not error.value.gave_up
    slow = False
    assert ask(served, rows[:4]) == [row["query"] for row in rows[:4]]


def test_refused_rows_in_the_middle_end_nothing_and_are_asked_last_the_next_time(fake, rows):
    refused = {"question 50", "question 51", "question 52", "question 53", "question 54", "question 55"}
    server = fake(lambda number, body: (400, {"error": "too large"}) if question(body) in refused else question(body))
    served = Served(server.url)
    line = r"row 50 \(and rows 51, 52, 53, 54, 55\): HTTP 400: too large; 94 of 100"
    for _ in range(2):
        with pytest.raises(ServedError, match=line) as error:
            ask(served, rows)
        assert one_line(error)
        assert not error.value.gave_up
    assert len(server.asked) == 106, "what was answered was asked again"
    refused.clear()
    assert ask(served, rows) == [row["query"] for row in rows]


@pytest.mark.parametrize(("at_once", "number"), [(1, 5), (4, 8)])
def test_a_server_in_trouble_is_given_up_and_the_next_call_begins_with_other_rows(fake, rows, at_once, number):
    sick = {f"question {at}" for at in range(40, 48)}
    server = fake(lambda number, body: (503, {"error": "overloaded"}) if question(body) in sick else question(body))
    served = Served(server.url, retries=0, at_once=at_once)
    with pytest.raises(ServedError, match=r"row 40 \(.*: HTTP 503: overloaded; given up; 40 of 100") as error:
        ask(served, rows)
    assert error.value.gave_up
    assert error.value.rows.keys() == set(range(40, 40 + number)), "five in a row, and what was under way beside the fifth"
    sick -= {f"question {at}" for at in range(40 + number, 48)}
    with pytest.raises(ServedError, match=rf"{100 - number} of 100") as error:
        ask(served, rows)
    assert not error.value.gave_up, "no other row was left"
    sick.clear()
    assert ask(served, rows) == [row["query"] for row in rows]


def test_where_rows_failed_before_the_line_says_what_ended_it(fake, rows):
    def reply(number, body):
        at = int(question(body).split()[1])
        return (400, {"error": "too large"}) if at == 3 else (401, {"error": "no"}) if at > 5 else question(body)

    with pytest.raises(
        ServedError, match=r"row 6: HTTP 401: the key .* is not set; 1 more failed otherwise; given up"
    ) as error:
        ask(Served(fake(reply).url, api_key_env="NOT_SET_ANYWHERE"), rows)
    assert one_line(error)
    assert error.value.rows.keys() == {3, 6}


def test_an_unknown_model_is_given_up_at_once(fake, rows):
    server = fake(lambda number, body: (404, {"error": {"message": "The model `mergd` does not exist."}}))
    with pytest.raises(ServedError, match=r"404: The model `mergd` does not exist.: the address or the model's name is wrong"):
        ask(Served(server.url, "mergd"), rows)
    assert len(server.asked) == 1


def test_a_broken_picture_is_named_and_not_sent(fake, rows):
    server = fake()
    rows[1] = {**rows[1], "image": b"<html>no picture</html>"}
    with pytest.raises(ServedError, match=r"row 1: the picture: .*HTML page.*; 3 of 4 were answered") as error:
        ask(Served(server.url), rows[:4])
    assert one_line(error)
    assert [question(body) for body in server.asked] == ["question 0", "question 2", "question 3"]


@pytest.mark.parametrize(
    ("image", "said"), [(None, "there is no image"), (5, "a Python int is no picture"), ([], "a Python list is no")]
)
def test_what_is_no_picture_at_all_holds_up_nobody(fake, rows, image, said):
    rows[1] = {**rows[1], "image": image}
    with pytest.raises(ServedError, match=f"row 1: the picture: {said}.*; 2 of 3 were answered"):
        ask(Served(fake().url), rows[:3])


def test_broken_pictures_are_never_the_servers_fault(fake, rows):
    server = fake()
    broken = [{**row, "image": b"<html>no picture</html>"} for row in rows[:6]]
    with pytest.raises(
        ServedError, match=r"row 0 \(and rows 1, 2, 3, 4, 5\): the picture: .*; 94 of 100 were answered"
    ) as error:
        ask(Served(server.url), [*broken, *rows[6:]])
    assert one_line(error)
    assert not error.value.gave_up
    assert len(server.asked) == 94


@pytest.mark.parametrize(
    "said", [b"<html>", {"choices": []}, {"choices": [{"message": None}]}, [], completion(5), completion({"text": "17"})]
)
def test_what_is_no_chat_completion_is_said(fake, rows, said):
    server = fake(lambda number, body: (200, said))
    with pytest.raises(ServedError, match="no chat completion: the address is not an OpenAI-compatible one") as error:
        ask(Served(server.url), rows[:1])
    assert one_line(error)


def held(content, finish_reason="stop", **message) -> tuple[int, dict]:
    body = completion(content)
    body["choices"][0]["finish_reason"] = finish_reason
    body["choices"][0]["message"] |= message
    return 200, body


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (held(None), r"the reply holds no answer \(finish_reason 'stop'\)"),
        (held(None, "content_filter"), r"the reply holds no answer \(finish_reason 'content_filter'\)"),
        (held(None, refusal="I can't\nsee that."), "the model refused: I can't see that"),
        (held(None, "length"), "no answer within max_new_tokens=16: a model that thinks first needs more"),
        (held("", "length"), "no answer within max_new_tokens=16"),
        (held("", "content_filter"), "the reply holds no answer"),
        (held("<think>hm, seven and", "length"), "no answer within max_new_tokens=16"),
        (held("<think>hm, seven and"), "the reply holds no answer"),
        (held("<think>hm, seven</think> "), "the reply holds no answer"),
        (held([{"type": "thinking", "thinking": []}]), "the reply holds no answer"),
        ((200, {"error": {"message": "the provider\nis away", "code": 502}}), "replied with an error: the provider is away"),
        ((200, {"error": "away"}), "replied with an error: away"),
    ],
)
def test_a_reply_without_an_answer_is_the_rows_problem_and_never_an_empty_answer(fake, rows, reply, said):
    server = fake(lambda number, body: reply if question(body) == "question 1" else question(body))
    with pytest.raises(ServedError, match=said) as error:
        ask(Served(server.url), rows[:3])
    assert "2 of 3 were answered" in one_line(error)
    assert not error.value.gave_up


@pytest.mark.parametrize("reason", ["stop", "eos_token"])
@pytest.mark.parametrize(
    ("content", "answer"),
    [("", ""), (" \n", ""), ([{"type": "text", "text": " 1"}, {"type": "other"}, {"type": "text", "text": "7 "}], "17")],
)
def test_an_empty_text_is_an_answer_and_parts_are_one_text(fake, rows, content, answer, reason):
    server = fake(lambda number, body: held(content, reason))
    assert ask(Served(server.url), rows[:1]) == [answer]


def test_the_key_is_read_from_its_variable_sent_and_never_said(fake, rows, monkeypatch):
    secret = "sk-planted-0123456789"
    monkeypatch.setenv("MY_KEY", secret)
    replies = [(400, {"error": {"message": f"key {secret} may not do this"}}), (401, {"error": f"wrong key {secret}"})]
    server = fake(lambda number, body: replies[number])
    served = Served(server.url, api_key_env="MY_KEY")
    for expected in (r"key \*\*\* may not", r"HTTP 401: the key in \$MY_KEY was refused"):
        with pytest.raises(ServedError, match=expected) as error:
            ask(served, rows[:1])
        assert secret not in str(error.value) + repr(served)
    assert server.headers[0]["authorization"] == f"Bearer {secret}"
    monkeypatch.delenv("MY_KEY")
    server = fake(lambda number, body: (401, {}))
    with pytest.raises(ServedError, match=r"the key in \$MY_KEY is not set"):
        ask(Served(server.url, api_key_env="MY_KEY"), rows[:1])


@pytest.mark.parametrize(("key", "sent"), [("sk-planted-01\n", "sk-planted-01"), (" sk-planted-02 ", "sk-planted-02")])
def test_a_key_that_was_read_from_a_file_is_sent_without_its_line_end(fake, rows, monkeypatch, key, sent):
    monkeypatch.setenv("MY_KEY", key)
    server = fake()
    ask(Served(server.url, api_key_env="MY_KEY"), rows[:1])
    assert server.headers[0]["authorization"] == f"Bearer {sent}"


@pytest.mark.parametrize("key", ["sk-planted\n0123", "sk-plänted"])
def test_a_key_that_no_header_can_carry_is_the_keys_fault_and_not_said(fake, rows, monkeypatch, key):
    monkeypatch.setenv("MY_KEY", key)
    server = fake()
    with pytest.raises(ServedError) as error:
        ask(Served(server.url, api_key_env="MY_KEY", retries=0), rows[:1])
    assert "the key in $MY_KEY has a character that no header can carry" in one_line(error)
    assert error.value.gave_up is False
    assert key not in str(error.value)
    assert repr(key)[1:-1] not in str(error.value)
    assert not server.asked


def test_a_proxy_never_sees_what_is_meant_for_this_machine(fake, rows, monkeypatch):
    server, proxy = fake(), fake()
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, proxy.url)
    ask(Served(server.url), rows[:1])
    assert (len(server.asked), len(proxy.asked)) == (1, 0)


def test_a_folder_is_evaluated_through_an_address(fake, rows, tmp_path):
    lines = ["image,question,answer"]
    for at, row in enumerate(rows[:6]):
        row["image"].save(tmp_path / f"{at}.png")
        lines.append(f"{at}.png,{row['query']},{row['query'] if at % 2 else 'x'}")
    (tmp_path / "questions.csv").write_text("\n".join([*lines, "gone.png,where?,here"]))
    refused = {"question 2", "question 3", "question 4", "question 5"}  # also where the last rows are the ones that failed
    server = fake(lambda number, body: (500, {"error": "no"}) if question(body) in refused else question(body))
    served = Served(server.url, retries=0)
    report = evaluate_folder(tmp_path, served)
    assert (report.scored, report.score) == (2, 1 / 2)
    assert [problem.partition(":")[0] for problem in report.problems] == [f"line {at}" for at in (4, 5, 6, 7, 8)]
    assert "HTTP 500" in report.problems[0]
    refused.clear()
    report = evaluate_folder(tmp_path, served)
    assert (report.scored, report.score, len(server.asked)) == (6, 3 / 6, 10)
    with pytest.raises(ServedError, match="nothing answers"):
        evaluate_folder(tmp_path, Served("http://127.0.0.1:9", retries=0))
    nothing = fake(lambda number, body: (400, {"error": "no"}))
    (tmp_path / "questions.csv").write_text("\n".join(lines[:3]))
    with pytest.raises(ValueError, match=r"no question was answered:\n  line 2: HTTP 400"):
        evaluate_folder(tmp_path, Served(nothing.url))
