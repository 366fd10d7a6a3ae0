"""Inputs by the hundred thousand for whatever reads from outside: ``make fuzz``.

mutations   valid inputs, damaged        targets   what reads them, and what must hold
campaign    the inputs of one target     __main__  all of them, and a table
"""
