"""From a model to a verdict: a model and rows go in; answers, scores and intervals come out.

Greedy answers, with the right chart or another, each picture looked at once and its features kept if asked; relaxed accuracy
(ChartQA, arXiv:2203.10244, section 5.1), bootstrap intervals and a paired test; a folder of your own as a test set; a model
behind an address in place of a loaded one, and a server of one's own; occlusion, which shows what in the picture an answer
rests on (arXiv:1311.2901); what a model could do before a training, and after; a judge that knows the chart's truth; and
lmms-eval's public benchmarks.
"""

from helpers import open_room

__getattr__, __dir__, __all__ = open_room(
    __name__,
    {
        "generate": ("WithOtherCharts", "generate_answers"),
        "features": ("KeptFeatures",),
        "served": ("Served", "ServedError"),
        "server": ("Server", "free_port", "start_server"),
        "metrics": ("LEVEL", "PairedTest", "bootstrap_interval", "paired_test", "relaxed_accuracy", "relaxed_match"),
        "own_test_set": ("Report", "evaluate_folder"),
        "data_check": ("DataReport", "check_dataset"),
        "occlusion": ("occlusion_map",),
        "old_skills": ("OldSkills", "measure_old_skills", "plain_question", "says_one_of", "states"),
        "judge": ("KINDS", "Verdict", "judge_answer", "judge_answers"),
        "benchmarks": ("LMMS_EVAL", "leave_out_empty_audios", "lmms_eval_command"),
    },
)
