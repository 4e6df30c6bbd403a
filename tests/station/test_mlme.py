"""The station's table of states."""

from pathlib import Path

from polyradio.station import StationState
from polyradio.station.mlme import TRANSITIONS, Trigger, state_diagram

PAGE = Path(__file__).resolve().parents[2] / "docs" / "station_states.md"


def test_page_shows_the_table():
    """Where this fails, put what `state_diagram()` returns into the page."""
    assert f"```mermaid\n{state_diagram()}\n```" in PAGE.read_text(encoding="utf-8")


def test_every_state_can_be_reached_and_left():
    assert {before for before, _ in TRANSITIONS} == set(StationState)
    assert set(TRANSITIONS.values()) == set(StationState)
    assert {trigger for _, trigger in TRANSITIONS} == set(Trigger)


def test_every_state_of_a_connection_can_end():
    for state in set(StationState) - {StationState.DISCONNECTED}:
        assert TRANSITIONS[state, Trigger.STOPPED] is StationState.DISCONNECTED
