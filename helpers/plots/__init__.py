"""Drawing: plain values and the results of other rooms go in; matplotlib figures come out, and ``show`` displays them.

One module a subject: pictures, memory, LoRA, preferences, rewards, evaluation, scaling, serving; the label mask, which
shows the tokens that are trained on. Colours are Okabe and Ito's, told apart by colour-blind readers, with marks and
hatches beside them; every figure is shown with an alt text.
"""

from helpers import open_room

__getattr__, __dir__, __all__ = open_room(
    __name__,
    {
        "figure": ("AFTER", "BEFORE", "in_words", "plot_by_kind", "plot_charts", "plot_losses", "show", "show_label_mask"),
        "pictures": ("plot_occlusion", "plot_tiles"),
        "memory": ("plot_fit_map", "plot_levels", "plot_precisions"),
        "lora": ("plot_components", "plot_ranks"),
        "preferences": ("plot_kinds", "plot_preference_curves", "preference_curves_in_words"),
        "rewards": ("plot_reward_curves", "reward_curves_in_words"),
        "evaluation": ("plot_looks", "plot_models_by_kind", "plot_paired", "plot_seeds"),
        "scaling": ("plot_same_losses", "plot_waiting"),
        "serving": ("plot_differences", "plot_requests"),
    },
)
