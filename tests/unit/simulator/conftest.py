"""A fresh bank for each test, on 2 March 2026, data ready at once."""

import pytest

from local.flinks.bank import Bank
from tests.unit.simulator.driver import Caller, new_bank


@pytest.fixture
def bank() -> Bank:
    return new_bank()


@pytest.fixture
def flinks(bank: Bank) -> Caller:
    return Caller(bank)
