"""What /? prints at the prompt."""

__all__ = ["BY_TOPIC", "OVERVIEW", "PARAMETERS", "SET", "SHOW"]

OVERVIEW = '''\
Commands:
  /set            Change the conversation: parameters, system message, modes
  /show           Show what the model is
  /list           List the models that are here
  /load <model>   Go on with another model, in a new conversation
  /save <model>   Save parameters, system message and messages as a model
  /clear          Forget what was said
  /bye            Leave
  /?, /help       This help
  /? set, /? show, /? shortcuts

Use """ to begin and to end a message of several lines.
'''

SET = """\
Commands of /set:
  /set parameter <name> <value>   A parameter of the model; without a name: which there are
  /set system <message>           The system message
  /set format json                Answers in JSON
  /set noformat                   Answers in any form
  /set think [low|medium|high|max]
  /set nothink                    Think before answering, or not
  /set wordwrap, /set nowordwrap  Wrap at words
  /set verbose, /set quiet        Figures after each answer
  /set history, /set nohistory    Keep what is typed
"""

SHOW = """\
Commands of /show:
  /show info         Size, context, abilities
  /show license
  /show modelfile
  /show parameters   The model's, and those of this conversation
  /show system
  /show template
"""

SHORTCUTS = """\
Keys:
  Ctrl + a, Ctrl + e   Begin, end of the line
  Ctrl + b, Ctrl + f   Back, forward by a character
  Alt + b, Alt + f     Back, forward by a word
  Ctrl + p, Ctrl + n   Earlier, later line
  Ctrl + k, Ctrl + u   Cut to the end, to the beginning
  Ctrl + w             Cut the word before
  Ctrl + j             New line within the message
  Ctrl + g             Edit the message in your editor
  Ctrl + l             Clear the screen
  Ctrl + z             Suspend
  Ctrl + c             Break off the answer or the message
  Ctrl + d             Leave
"""

PARAMETERS = """\
Parameters:
  /set parameter seed <int>               The same seed, the same text
  /set parameter num_predict <int>        Most tokens of an answer
  /set parameter temperature <float>      0: always the likeliest token
  /set parameter top_k <int>              Choose among so many tokens
  /set parameter top_p <float>            Choose among tokens up to this probability
  /set parameter min_p <float>            Leave out tokens less likely than this share
  /set parameter num_ctx <int>            Tokens of context
  /set parameter repeat_penalty <float>   Above 1: fewer repetitions
  /set parameter repeat_last_n <int>      How far back repetitions count
  /set parameter num_gpu <int>            Layers on the GPU
  /set parameter stop <text> ...          Texts that end an answer
"""

BY_TOPIC = {"": OVERVIEW, "set": SET, "/set": SET, "show": SHOW, "/show": SHOW}
BY_TOPIC |= {"shortcut": SHORTCUTS, "shortcuts": SHORTCUTS}
