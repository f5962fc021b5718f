/* Start-up of the SMTP server: tables opened, lists parsed. */
#ifndef POSTERN_SMTPD_SETUP_H
#define POSTERN_SMTPD_SETUP_H

/* Before privileges are dropped; fatal when the configuration makes no sense. */
void smtpd_setup(void);

#endif
