"""What surrounds a training, which itself stands in the lessons: rows and a trainer's configuration go in; files come out.

The label mask says which tokens are trained on; a checkpoint marker, written last, which checkpoint is whole and whose it
is; a transform in a form that processes which load data can be given; TRL's settings files and data for ``trl sft`` and
``trl dpo``; old questions as pairs, for practice; programs of the environment, and several processes.
"""

from helpers import open_room

__getattr__, __dir__, __all__ = open_room(
    __name__,
    {
        "checkpoints": ("MARKER", "MarkCheckpoints", "last_complete_checkpoint", "settings_key"),
        "fingerprint": ("data_fingerprint",),
        "settings": ("CONVERSATIONS", "as_conversations", "command_settings", "save_conversations", "write_settings"),
        "label_mask": ("token_kinds",),
        "transforms": ("portable",),
        "practice": ("with_practice",),
        "commands": ("run_command",),
    },
)
