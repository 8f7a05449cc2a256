"""The branches: every option of every decision as a function, so that any cell, widget or test can run it."""
