"""What the exercises of lesson 01 check: bytes, bits, packed weights, and a quantization that is really QLoRA's."""

from helpers.exercises.checks import Case, Function, Number, Value
from helpers.exercises.exercise import Question

PARAMETERS = 2_246_272_880  # of SmolVLM-Instruct; a test compares it with the architecture


def bits_per_weight(bits, block, nested):
    scales = 32 / block if nested is None else 8 / block + 32 / (block * nested)
    return bits + scales


def count_parameters(tensors):
    return sum(stored * 2 * size if kind == "4bit" else stored for stored, size, kind in tensors)


def _settings_problem(settings) -> str | None:
    import torch  # here: only this exercise needs it, and it takes seconds to import
    from transformers import BitsAndBytesConfig

    if not isinstance(settings, dict):
        return "settings is a dict of BitsAndBytesConfig's arguments"
    config = BitsAndBytesConfig(**settings)
    if config.load_in_8bit or not config.load_in_4bit:
        return "these are not 4 bits: 8-bit weights take twice as much, unquantized ones four times"
    if config.bnb_4bit_quant_type != "nf4":
        return "the levels are still fp4's, the default: they don't lie where weights are. QLoRA's are nf4"
    if not config.bnb_4bit_use_double_quant:
        return "4.5 bits a weight: the scales are kept in 32 bits each. Double quantization stores them in 8"
    if config.bnb_4bit_compute_dtype == torch.float32:
        return "it computes in float32, the default, which is slow on a GPU: say bnb_4bit_compute_dtype"
    if config.bnb_4bit_compute_dtype != torch.bfloat16:
        return f"the GPU has bfloat16, but this computes in {config.bnb_4bit_compute_dtype}"
    return None


QUESTIONS = {
    "q1": Question(
        Number(
            "gigabytes",
            lambda: 2 * PARAMETERS / 1e9,
            "GB (a billion bytes)",
            "Parameters times bytes is the size of the download too: check it before you rent a GPU or fill a disk.",
            tolerance=0.01,
            mistakes=lambda: {
                4 * PARAMETERS / 1e9: "four bytes each is float32; bfloat16 has 16 bits",
                PARAMETERS / 1e9: "one byte each is 8-bit quantization; bfloat16 has 16 bits",
                PARAMETERS / 2e9: "half a byte each is 4-bit quantization; bfloat16 has 16 bits",
                16 * PARAMETERS / 1e9: "those are bits: eight of them are a byte",
            },
        ),
        ("How many bytes are 16 bits?", "Parameters times bytes, divided by a billion."),
    ),
    "q2": Question(
        Function(
            "bits_per_weight",
            bits_per_weight,
            [
                Case((4, 64, None)),
                Case((4, 64, 256)),
                Case((4, 128, None)),
                Case((4, 32, 64)),
                Case((3, 16, 128)),
                Case((8, 64, 16)),
            ],
            "'4-bit' weights take 4.5 bits, or 4.127 with double quantization: for 7 billion weights the difference is a "
            "third of a gigabyte.",
            mistakes=(
                (lambda bits, block, nested: bits, "the scales are missing: each block of weights keeps one"),
                (
                    lambda bits, block, nested: bits + 32 / block,
                    "with `nested` given, the scales themselves are stored in 8 bits each",
                ),
                (
                    lambda bits, block, nested: bits + (32 / block if nested is None else 8 / block),
                    "the 8-bit scales need a scale too: 32 bits for every `nested` of them",
                ),
                (
                    lambda bits, block, nested: bits + (32 / block if nested is None else 8 / block + 32 / nested),
                    "`nested` counts scales, not weights: one 32-bit scale serves nested times block weights",
                ),
                (lambda bits, block, nested: bits_per_weight(bits, block, nested) / 8, "those are bytes; asked are bits"),
            ),
        ),
        (
            "What does one scale take, and how many weights share it?",
            "Without nested: bits + 32 / block. With it, a scale takes 8 bits, and every nested * block weights share 32 more.",
        ),
    ),
    "q3": Question(
        Function(
            "count_parameters",
            count_parameters,
            [
                Case(([(1000, 4, "plain"), (500, 1, "4bit")],)),
                Case(([(64, 2, "plain")],)),
                Case(([(2048, 1, "4bit")],)),
                Case(
                    ([(256, 2, "4bit"), (256, 4, "4bit"), (10, 2, "plain")],),
                    "Packed weights may lie in a wider type (bnb_4bit_quant_storage): then each stored number holds "
                    "four, or eight.",
                ),
                Case(([],), "A model with no tensors has no parameters."),
            ],
            "A quantized model that seems to have lost half its parameters has lost none: percentages of trainable "
            "parameters computed from it are wrong.",
            mistakes=(
                (lambda tensors: sum(stored for stored, _, _ in tensors), "packed 4-bit weights count two to a byte"),
                (
                    lambda tensors: sum(2 * stored for stored, _, _ in tensors),
                    "only the packed tensors hold two weights to a byte: the plain ones count once",
                ),
                (
                    lambda tensors: sum(stored * size for stored, size, _ in tensors),
                    "those are bytes; asked are parameters: a plain number is one, whatever its size",
                ),
                (
                    lambda tensors: sum(stored // 2 if kind == "4bit" else stored for stored, _, kind in tensors),
                    "the other way round: a stored byte holds two weights, so the count grows",
                ),
            ),
        ),
        (
            "How many 4-bit numbers fit into one byte?",
            "A packed tensor holds stored * bytes_each bytes, and two weights in each; a plain one holds `stored` weights.",
        ),
    ),
    "q4": Question(
        Value(
            "settings",
            _settings_problem,
            "load_in_4bit alone gives fp4, float32 arithmetic and 4.5 bits: slower, larger and less exact than what the "
            "QLoRA paper measured.",
            untouched={"load_in_4bit": True},
        ),
        (
            "Lesson 01 loads the model with all four arguments, each with its reason.",
            "bnb_4bit_quant_type, bnb_4bit_use_double_quant and bnb_4bit_compute_dtype. The last takes a name or a torch "
            "dtype.",
        ),
    ),
}
