"""From a model's name to something that answers: names and folders go in; models, processors and configs come out.

Loads a model and its processor, quantized if asked; opens released architectures as configs without weights; counts the
tiles and image tokens of a picture, by the family's rule or by looking at what its processor does; says what this machine's
hardware can compute in; finds a model's vision tower and text model, and shows it each picture once; and holds the
instructions of every question.
"""

from helpers import open_room

__getattr__, __dir__, __all__ = open_room(
    __name__,
    {
        "load": ("QUANTIZATIONS", "download", "load_model", "load_processor", "locate", "quantization_config"),
        "architectures": ("ARCHITECTURES", "COMPONENTS", "component_of", "load_config", "meta_model"),
        "names": ("find_model", "unknown_model"),
        "hardware": (
            "MACS_GPU",
            "Hardware",
            "choose_precision",
            "choose_profile",
            "choose_workers",
            "detect",
            "free_cores",
            "has_macs_gpu",
            "spare_workers",
        ),
        "image_tokens": ("ImageTokens", "count_image_tokens", "fitted_size", "settings_of", "tile_grid"),
        "processor_settings": ("PROCESSORS",),
        "processed": ("image_token_id",),
        "features": ("bytes_of", "moved", "read_features", "together", "unwrapped"),
        "looks": ("look_once",),
        "prepared": ("prepare_once",),
        "parts": ("text_model", "vision_tower"),
        "processes": ("in_processes",),
        "prompts": ("FULL_SENTENCE", "SHORT_ANSWER", "chat"),
    },
)
