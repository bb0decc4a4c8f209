"""What every test file needs: signals as a terminal's programs have them, even when the runner was put into the background."""
import signal

# A shell starts background jobs with these ignored, and programs under test would inherit that.
for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGQUIT, signal.SIG_DFL)):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, handler)
