"""Say how many processes a launcher really started: ``<launcher> -m helpers.training.count_processes``."""

from accelerate import PartialState

if __name__ == "__main__":
    state = PartialState(cpu=True)
    state.print(f"processes: {state.num_processes}")
    state.destroy_process_group()
