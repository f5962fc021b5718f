#include "smtpwire/cmd.h"

static bool is_space(char c)
{
	return c == ' ' || c == '\t';
}

void smtp_cmd_split(str line, struct smtp_cmd *cmd)
{
	size_t n = 0;

	line = str_trim(line);
	while (n < line.n && !is_space(line.p[n]))
		n++;
	cmd->verb = str_head(line, n);
	cmd->args = str_trim(str_from(line, n));
}

bool smtp_cmd_keyword(str *args, const char *keyword)
{
	str word = str_of(keyword), rest = str_trim(*args);

	if (!str_starts_nocase(rest, word))
		return false;
	rest = str_from(rest, word.n);
	if (rest.n == 0 || rest.p[0] != ':')
		return false;
	*args = str_trim(str_from(rest, 1));
	return true;
}

bool smtp_cmd_word(str *args, str *word)
{
	return str_word(args, " \t", word);
}

size_t smtp_cmd_words(str args)
{
	str word;
	size_t n = 0;

	while (smtp_cmd_word(&args, &word))
		n++;
	return n;
}
